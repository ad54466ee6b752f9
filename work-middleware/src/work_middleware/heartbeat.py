"""Keep the leases of running jobs alive, so that a lease may be short and a job long."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from work_core.errors import BackendUnavailable
from work_core.hookspecs import hookimpl
from work_core.job import utc_now
from work_middleware.background import Background
from work_middleware.options import seconds

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from datetime import datetime

    from work_core.job import Job
    from work_core.middleware import HandleContext
    from work_core.worker import Worker

    Run = tuple[Job, HandleContext]

logger = logging.getLogger("work")

_LONGEST_REST = 10.0


class Heartbeat:
    """Extend the leases of all running jobs, in bulk, from one thread per process.

    A lease is extended by its full length when *interval* seconds of it are over (default: a
    third), so a job that is done before that costs the store nothing, unlike in Go. When the lease
    turns out to be lost, ``context.lease_lost`` becomes true; the job is never brought back to
    life. A job that runs past its timeout is no longer extended and comes back when its lease
    ends. In ``work.toml``::

        plugins = ["heartbeat"]
    """

    def __init__(self, interval: float | None = None) -> None:
        self.interval = math.inf if interval is None else seconds("interval", interval)
        self._running: dict[int, Run] = {}
        self._shortest = math.inf
        self._background = Background("work-heartbeat", self.beat)

    @hookimpl
    def work_worker_started(self, worker: Worker) -> None:  # noqa: ARG002 - the hook's argument
        """Start the thread."""
        self._background.start()

    @hookimpl
    def work_worker_stopped(self, worker: Worker) -> None:  # noqa: ARG002 - the hook's argument
        """Stop the thread."""
        self._background.stop()

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Note that the job runs."""
        if context.lease < self._shortest:
            self._shortest = context.lease
            self._background.wake()
        # Setting a key needs no lock, and a job may run here twice once its lease was lost.
        run = id(context)
        self._running[run] = job, context
        try:
            return (yield)
        finally:
            del self._running[run]

    def beat(self) -> float:
        """Extend the leases that are due, and return for how many seconds to rest."""
        now = utc_now()
        for runs in self._due(now):
            try:
                self._extend(runs, now)
            except BackendUnavailable as error:
                logger.warning("leases of %s not extended: %s", runs[0][1].queue, error)
        # Twice per interval, so that a lease is extended halfway at the latest.
        return min(_LONGEST_REST, self._interval(self._shortest) / 2)

    def _interval(self, lease: float) -> float:
        return min(self.interval, lease / 3)

    def _due(self, now: datetime) -> Iterable[list[Run]]:
        due: defaultdict[object, list[Run]] = defaultdict(list)
        for job, context in self._running.copy().values():
            if context.lease_lost or job.lease is None:
                continue
            if context.deadline is not None and context.deadline < now:
                continue
            left = (job.lease.until - now).total_seconds()
            if left <= context.lease - self._interval(context.lease):
                due[id(context.backend), context.queue, context.lease].append((job, context))
        return due.values()

    def _extend(self, runs: list[Run], now: datetime) -> None:
        context = runs[0][1]
        until = now + timedelta(seconds=context.lease)
        lost = context.backend.extend(context.queue, [job for job, _ in runs], until=until)
        for job in lost:
            self._lose(job)

    def _lose(self, lost: Job) -> None:
        for job, context in self._running.copy().values():
            # A job that has ended meanwhile was acked, which looks like a lost lease but is none.
            if job is lost:
                context.lease_lost = True
                logger.warning("job %s of %s lost its lease while it runs", job.id, context.queue)
