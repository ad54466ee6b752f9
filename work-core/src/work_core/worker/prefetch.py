"""How many jobs to fetch at a time: one at first, more while handlers prove short."""

from __future__ import annotations

LARGEST_BATCH = 100
"""Jobs per fetch at most: most of what batching saves is saved by then, and fewer jobs are held."""

WINDOW = 0.05
"""Seconds of work that a lane may hold in its buffer; more would keep jobs from idle workers."""

_WEIGHT = 0.2
"""The share of the newest run in the pace: ten runs after a change the pace has followed."""


class Prefetch:
    """Follow how long handlers take and derive from it how much to fetch.

    Attributes:
        pace: seconds per run, as a moving average; 0 before the first run.
    """

    __slots__ = ("_batch", "_window", "pace")

    def __init__(self, lease: float) -> None:
        self.pace = 0.0
        self._batch = 1
        self._window = min(WINDOW, lease / 4)

    def note(self, seconds: float) -> None:
        """Take the duration of a run into account."""
        self.pace += (seconds - self.pace) * _WEIGHT if self.pace else seconds

    def next_limit(self, running: int) -> int:
        """Return how many jobs to fetch for *running* handlers at once.

        It at most doubles from one fetch to the next, and never exceeds what is expected to start
        within the window.
        """
        fitting = int(self._window * running / self.pace) if self.pace else LARGEST_BATCH
        self._batch = max(1, min(self._batch * 2, fitting, LARGEST_BATCH))
        return self._batch
