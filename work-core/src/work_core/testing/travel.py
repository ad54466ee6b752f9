"""Clocks that a test moves."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from work_core.job import utc_now


class Travel:
    """A clock that stands still until it is told to move: ``travel(60)``.

    Attributes:
        unit: how many seconds the suite's delays and leases last.
        margin: how many seconds before a moment the suite looks whether something is early.
    """

    unit: float = 60.0
    margin: float = 0.05

    def __init__(self) -> None:
        # Not on a full second, so that a store that cuts seconds off is seen to be early.
        self._now = utc_now().replace(microsecond=400_000)

    @property
    def now(self) -> datetime:
        """The current time (aware UTC)."""
        return self._now

    def __call__(self, seconds: float) -> datetime:
        """Move on by *seconds* and return the new time."""
        self._now += timedelta(seconds=seconds)
        return self.now

    def to(self, moment: datetime) -> datetime:
        """Move to *moment* and return it."""
        return self((moment - self.now).total_seconds())

    def after(self, seconds: float) -> datetime:
        """Return the time *seconds* from now, without moving."""
        return self.now + timedelta(seconds=seconds)


class WallTravel(Travel):
    """The real clock, for stores that keep time themselves: to travel is to sleep."""

    unit = 2.0
    margin = 1.0

    @property
    def now(self) -> datetime:
        """The current time (aware UTC)."""
        return utc_now()

    def __call__(self, seconds: float) -> datetime:
        """Sleep for *seconds* and return the new time."""
        time.sleep(max(seconds, 0.0))
        return self.now
