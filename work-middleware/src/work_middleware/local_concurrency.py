"""Run few jobs of a queue at once in one process."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from time import monotonic
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
            reserved = request.limit = max(0, min(request.limit, self._free(held)))
            held.reserved += reserved
        jobs: list[Job] = []
        try:
            jobs = yield
        finally:
            expires = monotonic() + request.lease
            with self._lock:
                held.reserved -= reserved
                held.jobs.update(((job.id, job.deliveries), expires) for job in jobs)
        return jobs

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Keep the job's place while it runs, and free it when it ends."""
        jobs, key = self._queues[context.queue].jobs, (job.id, job.deliveries)
        jobs[key] = math.inf
        try:
            return (yield)
        finally:
            jobs.pop(key, None)

    @hookimpl
    def work_jobs_returned(self, queue: QueueName, jobs: list[Job]) -> None:
        """Free the places of jobs that were never run."""
        for job in jobs:
            self._queues[queue].jobs.pop((job.id, job.deliveries), None)

    def _free(self, held: _Held) -> int:
        if len(held.jobs) + held.reserved >= self.limit:
            # A job whose lease ended in the buffer went without a word when the store was away.
            now = monotonic()
            for key in [key for key, expires in held.jobs.copy().items() if expires < now]:
                held.jobs.pop(key, None)
        return self.limit - held.reserved - len(held.jobs)


class _Held:
    """What this process holds of one queue.

    Jobs by id and delivery, so that none is freed twice, each with the monotonic time at which its
    lease ends; infinite once it was started.
    """

    __slots__ = ("jobs", "reserved")

    def __init__(self) -> None:
        self.reserved = 0
        self.jobs: dict[tuple[str, int], float] = {}
