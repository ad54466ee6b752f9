"""A daemon thread that does one thing again and again, so that no handler has to wait for it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from work_core.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("work")

_AFTER_AN_ERROR = 1.0
_STOP_TIMEOUT = 5.0


class Background:
    """Call *step* in a thread of its own; it returns for how many seconds to rest.

    Every ``start`` needs one ``stop``; the thread runs from the first start to the last stop, and
    makes a last call then. An error that *step* raises is logged, and *step* is called again a
    second later.
    """

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self._name = name
        self._step = step
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._users = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._lock:
            self._users += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread, after a last call, once nobody uses it any more."""
        with self._lock:
            self._users -= 1
            if self._users > 0 or self._thread is None:
                return
            thread, self._thread = self._thread, None
        self._wake.set()
        # A store that is away may hold up the last call; the process ends without it then.
        thread.join(_STOP_TIMEOUT)

    def wake(self) -> None:
        """Make the next call happen now."""
        self._wake.set()

    def _run(self) -> None:
        current = threading.current_thread()
        while self._thread is current:
            self._wake.wait(self._attempt())
            self._wake.clear()
        self._attempt()

    def _attempt(self) -> float:
        try:
            return self._step()
        except BackendUnavailable as error:
            logger.warning("%s: %s; trying again", self._name, error)
        except Exception:
            logger.exception("%s failed; trying again", self._name)
        return _AFTER_AN_ERROR
