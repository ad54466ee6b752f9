"""Fetch less often."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from work_core.errors import ConfigError
from work_core.hookspecs import hookimpl
from work_middleware.options import seconds

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core.job import Job, QueueName
    from work_core.middleware import DequeueRequest


class Throttle:
    """Fetch from a queue every *interval* seconds at most, and later when there was nothing.

    After a fetch that found nothing the next one comes *after_empty* seconds later. Each process
    counts for itself. A throttled worker answers new jobs later: this saves a store that charges
    per call, and nothing else. In ``work.toml``::

        plugins = [{ name = "throttle", interval = 0.5, after_empty = 5 }]
    """

    def __init__(self, interval: float = 0.0, after_empty: float = 0.0) -> None:
        self.interval = seconds("interval", interval, zero=True)
        self.after_empty = seconds("after_empty", after_empty, zero=True)
        if not interval and not after_empty:
            raise ConfigError("throttle needs interval or after_empty, in seconds; both are 0")
        self._next: dict[QueueName, float] = {}

    @hookimpl(wrapper=True)
    def work_dequeue(self, request: DequeueRequest) -> Generator[None, list[Job], list[Job]]:
        """Skip the round when it comes too early."""
        now = monotonic()
        if request.limit <= 0 or now < self._next.get(request.queue, now):
            request.limit = 0
            return (yield)
        self._next[request.queue] = now + self.interval
        jobs = yield
        # A wrapper further in may have skipped the round; then nothing is known about the queue.
        if not jobs and request.limit > 0:
            self._next[request.queue] = max(now + self.interval, monotonic() + self.after_empty)
        return jobs
