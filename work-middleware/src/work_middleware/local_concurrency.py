"""Run few jobs of a queue at once in one process."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from work_core.hookspecs import hookimpl
from work_middleware.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core.job import Job, QueueName
    from work_core.middleware import DequeueRequest, HandleContext


class LocalConcurrency:
    """Hold at most *limit* jobs of a queue at once in this process.

    Jobs that wait in the worker's buffer count, so a process never keeps a job that another could
    run. In ``work.toml``::

        plugins = [{ name = "local-concurrency", limit = 4 }]
    """

    def __init__(self, limit: int) -> None:
        self.limit = whole_number("limit", limit, least=1)
        self._queues: defaultdict[QueueName, _Held] = defaultdict(_Held)
        self._lock = threading.Lock()

    @hookimpl(wrapper=True)
    def work_dequeue(self, request: DequeueRequest) -> Generator[None, list[Job], list[Job]]:
        """Ask for no more jobs than may run."""
        with self._lock:
            held = self._queues[request.queue]
            free = self.limit - held.reserved - len(held.jobs)
            reserved = request.limit = max(0, min(request.limit, free))
            held.reserved += reserved
        jobs: list[Job] = []
        try:
            jobs = yield
        finally:
            with self._lock:
                held.reserved -= reserved
                held.jobs.update((job.id, job.deliveries) for job in jobs)
        return jobs

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Free a place when the job ends."""
        try:
            return (yield)
        finally:
            self._queues[context.queue].jobs.discard((job.id, job.deliveries))

    @hookimpl
    def work_jobs_returned(self, queue: QueueName, jobs: list[Job]) -> None:
        """Free the places of jobs that were never run."""
        for job in jobs:
            self._queues[queue].jobs.discard((job.id, job.deliveries))


class _Held:
    """What this process holds of one queue; the jobs by name, so that none is freed twice."""

    __slots__ = ("jobs", "reserved")

    def __init__(self) -> None:
        self.reserved = 0
        self.jobs: set[tuple[str, int]] = set()
