"""The service's clock."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class Clock:
    """A clock that runs, or stands still once it was stopped, and jumps when told to."""

    def __init__(self) -> None:
        self.moved = threading.Condition()
        self._offset = 0.0
        self._stopped: float | None = None

    def time(self) -> float:
        """Return the seconds since 1970."""
        return (time.time() if self._stopped is None else self._stopped) + self._offset

    def now(self) -> datetime:
        """Return the time as an aware datetime."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stop(self) -> None:
        """Stand still from now on, not on a full second."""
        self._stopped = int(time.time()) + 0.4

    def advance(self, seconds: float) -> None:
        """Jump ahead, and let all who wait look again."""
        with self.moved:
            self._offset += seconds
            self.moved.notify_all()
