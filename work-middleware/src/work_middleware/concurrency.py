"""Run few jobs at once in the whole cluster."""

from __future__ import annotations

import logging
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from work_core.capabilities import Semaphores
from work_core.errors import Snooze, WorkError
from work_core.hookspecs import hookimpl
from work_core.job import utc_now
from work_core.plugins import require
from work_middleware.background import Background
from work_middleware.gate import Gate, Turns
from work_middleware.options import text, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from work_core.job import Job, QueueName
    from work_core.middleware import DequeueRequest, HandleContext
    from work_core.worker import Worker
    from work_middleware.gate import Place

logger = logging.getLogger("work")

_TICK = 0.5
_LINGER = 1.0


class Concurrency:
    """Run at most *limit* jobs of a queue at once, in all processes together.

    A place is taken before a job is fetched, since a job that is leased first and refused
    afterwards would go round in circles; so jobs that wait in a worker's buffer count. Each job
    has a place of its own, which is renewed for as long as the job runs and goes to the next job
    when it ends, mostly without asking the store. A job whose place lapsed before it could start
    is put back.

    The limit holds as long as the store answers within a lease: a process cut off from it for
    longer loses its places, as it loses its leases, while its jobs may still run. Places of a
    killed process are free when their lease ends. With *key* queues share one limit. Needs a
    backend, or ``stores``, that has ``Semaphores``; on Redis a Go program's
    ``concurrent.Dequeuer`` counts in. In ``work.toml``::

        plugins = [{ name = "concurrency", limit = 10, key = "mail-provider" }]
    """

    def __init__(self, limit: int, key: str | None = None) -> None:
        self.limit = whole_number("limit", limit, least=1)
        self.key = None if key is None else text("key", key)
        self._turns = Turns(shared=key is not None)
        self._places: dict[tuple[str, str], _Places] = {}
        self._background = Background("work-concurrency", self._tick)

    @hookimpl
    def work_worker_started(self, worker: Worker) -> None:
        """Refuse a store without semaphores; start the thread that renews places."""
        require(worker.stores, Semaphores)
        self._background.start()

    @hookimpl
    def work_worker_stopped(self, worker: Worker) -> None:  # noqa: ARG002 - the hook's argument
        """Give back the places that nobody needs."""
        for places in self._places.values():
            places.release_free()
        self._background.stop()

    @hookimpl(wrapper=True)
    def work_dequeue(self, request: DequeueRequest) -> Generator[None, list[Job], list[Job]]:
        """Ask for as many jobs as there are places."""
        places = self._of(request)
        wanted = self._turns.wanted(request)
        reserved = places.reserve(wanted, request.lease + request.wait, request.lease)
        request.limit = len(reserved)
        jobs: list[Job] = []
        try:
            jobs = yield
        finally:
            places.hand_over(reserved, jobs)
            if not jobs:
                places.release_free()
        return jobs

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Run the job on its place, and free that when the job ends."""
        places = self._find(context.queue)
        if places is None:  # the job did not come through this object's work_dequeue
            return (yield)
        if not places.start(job):
            raise Snooze(_TICK, "its place under the concurrency limit lapsed before it started")
        try:
            return (yield)
        finally:
            places.end(job)

    @hookimpl
    def work_jobs_returned(self, queue: QueueName, jobs: list[Job]) -> None:
        """Free the places of jobs that were never run."""
        places = self._find(queue)
        if places is not None:
            for job in jobs:
                places.end(job)

    def _find(self, queue: QueueName) -> _Places | None:
        return self._places.get((queue.namespace, self.key or queue.queue_id))

    def _of(self, request: DequeueRequest) -> _Places:
        found = self._find(request.queue)
        if found is not None:
            return found
        namespace, key = request.queue.namespace, self.key or request.queue.queue_id
        gate = Gate(require(request.stores, Semaphores), namespace, key, self.limit)
        return self._places.setdefault((namespace, key), _Places(gate))

    def _tick(self) -> float:
        for places in list(self._places.values()):
            places.tick()
        return _TICK


class _Places:
    """The places that this process holds under one key: free ones, and those of jobs."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._free: deque[Place] = deque()
        self._held: dict[tuple[str, int], Place] = {}

    def reserve(self, wanted: int, seconds: float, lease: float) -> list[Place]:
        """Take up to *wanted* places for *seconds* from now; free ones of this process first."""
        reserved: list[Place] = []
        try:
            while len(reserved) < wanted:
                place = self._reuse(seconds, lease) or self._gate.take(seconds, lease)
                if place is None:
                    break
                reserved.append(place)
        except WorkError:
            self._free.extend(reserved)
            raise
        return reserved

    def hand_over(self, reserved: list[Place], jobs: Sequence[Job]) -> None:
        """Give each of *jobs* a place; what is left is free."""
        for job, place in zip(jobs, reserved, strict=False):
            self._held[job.id, job.deliveries] = place
        for place in reserved[len(jobs) :]:
            self._put(place)

    def start(self, job: Job) -> bool:
        """Have the place of *job* renewed from now on; False when it has lapsed."""
        place = self._held.get((job.id, job.deliveries))
        if place is None or place.until <= utc_now():
            self._held.pop((job.id, job.deliveries), None)
            return False
        place.running = True
        return True

    def end(self, job: Job) -> None:
        """Free the place of *job*."""
        place = self._held.pop((job.id, job.deliveries), None)
        if place is not None:
            self._put(place)

    def tick(self) -> None:
        """Renew the places of running jobs, and give back those that nobody took up."""
        now = utc_now()
        for key, place in self._held.copy().items():
            left = (place.until - now).total_seconds()
            if place.running and left < place.lease * 2 / 3:
                self._renew(key, place)
            elif not place.running and left <= 0:
                self._held.pop(key, None)
        self._release(lambda place: monotonic() - place.free_since > _LINGER)

    def release_free(self) -> None:
        """Give back all free places."""
        self._release(lambda _: True)

    def _put(self, place: Place) -> None:
        place.running = False
        place.free_since = monotonic()
        self._free.append(place)

    def _reuse(self, seconds: float, lease: float) -> Place | None:
        while self._free:
            try:
                place = self._free.popleft()
            except IndexError:  # another thread was faster
                return None
            place.lease = lease
            left = (place.until - utc_now()).total_seconds()
            if left >= seconds / 2 or self._gate.renew(place, seconds):
                return place
        return None

    def _renew(self, key: tuple[str, int], place: Place) -> None:
        if not self._gate.renew(place, place.lease) and key in self._held:
            logger.warning(
                "job %s runs beyond the concurrency limit: its place lapsed and was taken", key[0]
            )
            self._held.pop(key, None)

    def _release(self, condition: Callable[[Place], bool]) -> None:
        for _ in range(len(self._free)):
            try:
                place = self._free.popleft()
            except IndexError:  # another thread was faster
                return
            if not condition(place):
                self._free.append(place)
                continue
            try:
                self._gate.release(place)
            except WorkError as error:
                logger.warning("a place is free only when its lease ends: %s", error)
