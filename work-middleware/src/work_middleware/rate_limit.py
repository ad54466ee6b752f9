"""Start few jobs per period in the whole cluster."""

from __future__ import annotations

import logging
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

from work_core.capabilities import Semaphores
from work_core.errors import BackendUnavailable, WorkError
from work_core.hookspecs import hookimpl
from work_core.job import utc_now
from work_core.plugins import require
from work_middleware.background import Background
from work_middleware.gate import Gate, Turns
from work_middleware.options import seconds, text, whole_number

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from work_core.job import Job, QueueName
    from work_core.middleware import DequeueRequest, HandleContext
    from work_core.worker import Worker
    from work_middleware.gate import Place

logger = logging.getLogger("work")


class RateLimit:
    """Start at most *limit* jobs of a queue in any *period* seconds, in all processes together.

    The window slides: each start holds a place for *period* seconds, and a job that waits in a
    worker's buffer holds one until it starts, so no window ever sees more than *limit* starts; a
    killed worker keeps its places until their lease ends, which errs on the slow side. A run that
    fails counts. Costs two calls of the store per job, neither of them in the way of a running
    handler. With *key* queues share one limit. Needs a backend, or ``stores``, that has
    ``Semaphores``. In ``work.toml``::

        plugins = [{ name = "rate-limit", limit = 100, period = 60 }]
    """

    def __init__(self, limit: int, period: float, key: str | None = None) -> None:
        self.limit = whole_number("limit", limit, least=1)
        self.period = seconds("period", period)
        self.key = None if key is None else text("key", key)
        self._turns = Turns(shared=key is not None)
        self._gates: dict[QueueName, Gate] = {}
        self._waiting: dict[tuple[str, int], Place] = {}
        self._started: deque[tuple[Gate, Place]] = deque()
        self._background = Background("work-rate-limit", self._note_starts)

    @hookimpl
    def work_worker_started(self, worker: Worker) -> None:
        """Refuse a store without semaphores; start the thread that notes starts."""
        require(worker.stores, Semaphores)
        self._background.start()

    @hookimpl
    def work_worker_stopped(self, worker: Worker) -> None:  # noqa: ARG002 - the hook's argument
        """Note the last starts."""
        self._background.stop()

    @hookimpl(wrapper=True)
    def work_dequeue(self, request: DequeueRequest) -> Generator[None, list[Job], list[Job]]:
        """Ask for as many jobs as may start."""
        gate = self._gate(request)
        reserved: list[Place] = []
        jobs: list[Job] = []
        try:
            self._reserve(gate, request, reserved)
            request.limit = len(reserved)
            jobs = yield
        finally:
            for job, place in zip(jobs, reserved, strict=False):
                self._waiting[job.id, job.deliveries] = place
            _release(gate, reserved[len(jobs) :])
        return jobs

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Let the period of the job's place begin."""
        place = self._waiting.pop((job.id, job.deliveries), None)
        if place is not None:
            place.until = utc_now() + timedelta(seconds=self.period)
            self._started.append((self._gates[context.queue], place))
            self._background.wake()
        return (yield)

    @hookimpl
    def work_jobs_returned(self, queue: QueueName, jobs: list[Job]) -> None:
        """Give back the places of jobs that were never run."""
        found = [self._waiting.pop((job.id, job.deliveries), None) for job in jobs]
        places = [place for place in found if place is not None]
        if places:
            _release(self._gates[queue], places)

    def _gate(self, request: DequeueRequest) -> Gate:
        gate = self._gates.get(request.queue)
        if gate is None:
            queue = request.queue
            key = f"{self.key or queue.queue_id}:rate"
            gate = Gate(require(request.stores, Semaphores), queue.namespace, key, self.limit)
            self._gates[queue] = gate
        return gate

    def _reserve(self, gate: Gate, request: DequeueRequest, reserved: list[Place]) -> None:
        wanted = self._turns.wanted(request)
        longest = max(request.lease + request.wait, self.period)
        while len(reserved) < wanted:
            place = gate.take(longest, request.lease)
            if place is None:
                return
            reserved.append(place)

    def _note_starts(self) -> float:
        while self._started:
            gate, place = self._started.popleft()
            try:
                _begin(gate, place)
            except BackendUnavailable:
                self._started.append((gate, place))
                raise
        self._forget_lapsed()
        return 10.0

    def _forget_lapsed(self) -> None:
        now = utc_now()
        for key, place in self._waiting.copy().items():
            if place.until < now:
                self._waiting.pop(key, None)


def _begin(gate: Gate, place: Place) -> None:
    """Have *place*, which was taken for a lease, end when its period does."""
    left = (place.until - utc_now()).total_seconds()
    if left > 0:
        gate.renew(place, left)
    else:
        gate.release(place)


def _release(gate: Gate, places: Iterable[Place]) -> None:
    for place in places:
        try:
            gate.release(place)
        except WorkError as error:
            logger.warning("a place is free only when its time is over: %s", error)
