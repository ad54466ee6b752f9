"""A lane: one queue of a worker, from the fetch to the ack.

What the two kinds of lane (threads, event loop) share lives here: the fetch that carries the acks
of what is done, the pace that decides how much to prefetch, what happens to a job after its
handler, and giving back what was not started.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

from work_core.errors import BackendClosed, BackendError, BackendUnavailable
from work_core.middleware import DequeueRequest, HandleContext, fold
from work_core.retry import SUCCESS, Decision, Outcome, apply, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pluggy import HookRelay

    from work_core.backend import Backend
    from work_core.job import Job, QueueName
    from work_core.worker.handler import Dispatcher, Handler

logger = logging.getLogger("work")

LARGEST_BATCH = 100
"""Jobs per fetch at most: larger batches gained less than 5 % more on Redis."""

PREFETCH_WINDOW = 0.05
"""Seconds of work that a lane may hold in its buffer; more would keep jobs from idle workers."""

IDLE_WAIT = 5.0
"""Seconds that one fetch may wait inside the store for a job."""

TURN = 0.01
"""Seconds after which a lane looks again whether its turn has come, under a strict order."""

LONGEST_BACKOFF = 15.0
"""Seconds at most between two attempts to reach a store that is away."""


class Lane(ABC):
    """Fetch, run and settle the jobs of one queue."""

    def __init__(
        self,
        queue: QueueName,
        dispatch: Dispatcher,
        hooks: HookRelay,
        *,
        backend: Backend,
        stores: Backend,
        lease: float,
        concurrency: int,
        clock: Callable[[], datetime],
    ) -> None:
        self.queue = queue
        self.backend = backend
        self.stores = stores
        self.lease = lease
        self.concurrency = concurrency
        self.clock = clock
        self.dispatch = dispatch
        self.wait = IDLE_WAIT
        self.stopping = threading.Event()
        self.last_fetch = time.monotonic()
        self.empty_since = 0.0
        self.last_end = 0.0
        self.failure: Exception | None = None
        self.on_empty: Callable[[], None] = _nothing
        self.superiors: Sequence[Lane] = ()
        self._asked = 0.0
        self._hooks = hooks
        self._dequeue = fold(hooks.work_dequeue, self._exchange)
        self._done: deque[Job] = deque()
        self._back: deque[Job] = deque()
        self._pace = 0.0
        self._batch = 1
        self._idle = False
        self._failures = 0

    @abstractmethod
    def start(self) -> None:
        """Begin to fetch and run."""

    @abstractmethod
    def stop(self) -> None:
        """Stop fetching and give back what waits in the buffer; do not wait for what runs."""

    @abstractmethod
    def join(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds for the running jobs; tell whether all have ended."""

    @abstractmethod
    def abandon(self) -> None:
        """Give back the jobs that still run; their results no longer count."""

    @abstractmethod
    def busy(self) -> bool:
        """Tell whether a job runs, waits in the buffer, or has not been settled."""

    @property
    @abstractmethod
    def finished(self) -> int:
        """How many runs have ended."""

    # -- fetching ---------------------------------------------------------------------------------

    def fetch(self, limit: int, wait: float) -> list[Job]:
        """Return at most *limit* newly leased jobs; what is done rides along.

        Errors are reported and waited out: the caller just comes again. Only a backend that was
        closed under the worker ends the lane.
        """
        if self.superiors and any(lane.has_work() for lane in self.superiors):
            self.stopping.wait(TURN)
            return []
        request = DequeueRequest(
            self.queue, limit, self.lease, wait, self.backend, self.stores, self._idle
        )
        self._asked = began = time.monotonic()
        try:
            if self._back:
                self._reschedule()
            jobs: list[Job] = self._dequeue(request)
        except BackendClosed:
            raise
        except Exception as error:  # noqa: BLE001 - a worker outlives every failure of its store
            self._fetch_failed(error)
            return []
        self._fetch_succeeded()
        self._idle = not jobs
        if not jobs:
            self.empty_since = began
            self.on_empty()
            self._pause(request)
        return jobs

    def has_work(self) -> bool:
        """Tell whether a lesser queue has to wait for this one, as far as this worker knows."""
        waits_in_vain = self._idle or time.monotonic() - self._asked > TURN
        return self.busy() or not waits_in_vain

    def _exchange(self, request: DequeueRequest) -> list[Job]:
        done = self._take(self._done)
        try:
            lost, jobs = self.backend.exchange(
                self.queue,
                done,
                request.limit,
                at=self.clock(),
                lease=request.lease,
                wait=request.wait,
            )
        except BaseException:
            self._done.extendleft(reversed(done))
            raise
        self._tell_lost(lost, "ack")
        return jobs

    def _pause(self, request: DequeueRequest) -> None:
        """Keep a middleware that skips rounds, or a drain, from turning the loop into a spin."""
        if request.limit <= 0:
            self.stopping.wait(0.02)
        elif request.wait == 0.0:
            self.stopping.wait(0.001)

    def _next_limit(self, running: int) -> int:
        """Grow the batch while handlers prove short; never hold more than the window's work."""
        window = min(PREFETCH_WINDOW, self.lease / 4)
        fitting = int(window * running / self._pace) if self._pace else LARGEST_BATCH
        self._batch = max(1, min(self._batch * 2, fitting, LARGEST_BATCH))
        return self._batch

    def _note_pace(self, seconds: float) -> None:
        self._pace += (seconds - self._pace) * 0.2 if self._pace else seconds

    def _fetch_failed(self, error: Exception) -> None:
        self._failures += 1
        longest = min(0.1 * 2 ** min(self._failures, 10), LONGEST_BACKOFF)
        delay = longest * random.uniform(0.5, 1.0)
        logger.error(
            "cannot fetch from queue %s: %s; trying again in %.1f s",
            self.queue,
            error,
            delay,
            exc_info=not isinstance(error, BackendUnavailable),
        )
        self.stopping.wait(delay)

    def _fetch_succeeded(self) -> None:
        self.last_fetch = time.monotonic()
        if self._failures:
            logger.warning("fetching from queue %s again", self.queue)
            self._failures = 0

    # -- running ----------------------------------------------------------------------------------

    def _context(self, job: Job, handler: Handler) -> HandleContext:
        deadline = None if handler.timeout is None else handler.deadline(self.clock())
        return HandleContext(
            self.queue,
            handler.name,
            self.backend,
            self.stores,
            self.lease,
            deadline,
            job.retries + (job.deliveries or 1),
        )

    def _succeeded(self, job: Job, handler: Handler, context: HandleContext) -> None:
        if handler.finished is not None:
            self._notify(job, SUCCESS, handler, context)
        if context.lease_lost:
            self._tell_lost([job], "ack")
        else:
            self._done.append(job)

    def _failed(
        self, job: Job, handler: Handler, context: HandleContext, error: BaseException
    ) -> None:
        now = self.clock()
        outcome = self._decide(job, handler, error, now)
        if outcome.decision is Decision.RETRY and not context.reported:
            logger.warning(
                "job %s of queue %s failed (attempt %d), due again at %s",
                job.id,
                self.queue,
                context.attempt,
                outcome.due,
                exc_info=error,
            )
        elif outcome.decision is Decision.DISCARD and not context.reported:
            logger.warning("job %s of queue %s is discarded: %s", job.id, self.queue, error)
        # Before the plug-ins see the job, so that they may add to the error that is stored with it.
        apply(job, outcome, now=now)
        if handler.finished is not None:
            self._notify(job, outcome, handler, context)
        if context.lease_lost:
            self._tell_lost([job], outcome.decision.value)
            return
        if outcome.decision is Decision.DISCARD:
            self._done.append(job)
        elif outcome.decision is not Decision.LEAVE:
            self._back.append(job)

    def _decide(self, job: Job, handler: Handler, error: BaseException, now: datetime) -> Outcome:
        try:
            return decide(job, error, now=now, backoff=handler.backoff)
        except Exception as broken:
            logger.exception("the backoff of %s failed; retrying in a minute", handler.name)
            error.add_note(f"its backoff failed too: {broken!r}")
            return Outcome(Decision.RETRY, error, now + timedelta(minutes=1))

    def _notify(self, job: Job, outcome: Outcome, handler: Handler, context: HandleContext) -> None:
        try:
            if handler.finished is not None:
                handler.finished(job, outcome, context)
        except Exception:
            logger.exception("a plug-in failed on the end of job %s", job.id)

    # -- settling ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Tell the store what is done, now; what cannot be told is kept for the next time."""
        try:
            if self._back:
                self._reschedule()
            if self._done:
                self._ack()
        except Exception as error:  # noqa: BLE001 - kept, and told again with the next fetch
            logger.error("cannot settle jobs of queue %s: %s", self.queue, error)  # noqa: TRY400

    def _ack(self) -> None:
        done = self._take(self._done)
        try:
            lost = self.backend.ack(self.queue, done)
        except BaseException:
            self._done.extendleft(reversed(done))
            raise
        self._tell_lost(lost, "ack")

    def _reschedule(self) -> None:
        back = self._take(self._back)
        try:
            lost = self.backend.reschedule(self.queue, back)
        except BackendError as error:
            if isinstance(error, BackendUnavailable):
                self._back.extendleft(reversed(back))
                raise
            self._reschedule_singly(back)
        else:
            self._tell_lost(lost, "reschedule")

    def _reschedule_singly(self, back: list[Job]) -> None:
        """Find the job that the store refuses, so that it does not hold up the others for ever."""
        for job in back:
            try:
                self._tell_lost(self.backend.reschedule(self.queue, [job]), "reschedule")
            except BackendUnavailable:
                self._back.append(job)
            except BackendError as error:
                logger.error(  # noqa: TRY400 - the store's word is the whole story
                    "job %s of queue %s cannot be rescheduled and returns when its lease ends: %s",
                    job.id,
                    self.queue,
                    error,
                )

    def give_back(self, jobs: Sequence[Job]) -> None:
        """Make leased *jobs* that were not finished available to everybody at once."""
        if not jobs:
            return
        # A job with a clean record gets it back clean. One whose holders vanish keeps its count,
        # or a job that kills workers could live for ever on being given back.
        clean = [job for job in jobs if job.deliveries <= 1]
        suspect = [job for job in jobs if job.deliveries > 1]
        try:
            if clean:
                self.backend.reschedule(self.queue, clean)
            if suspect:
                self.backend.extend(self.queue, suspect, until=self.clock())
            self._hooks.work_jobs_returned(queue=self.queue, jobs=list(jobs))
        except Exception as error:  # noqa: BLE001 - their leases end by themselves
            logger.error(  # noqa: TRY400
                "cannot give %d jobs of queue %s back, they return when their leases end: %s",
                len(jobs),
                self.queue,
                error,
            )

    def _tell_lost(self, jobs: Sequence[Job], what: str) -> None:
        for job in jobs:
            logger.warning(
                "job %s of queue %s lost its lease of %g s before its %s: it may run twice; "
                "use the heartbeat middleware or a longer lease",
                job.id,
                self.queue,
                self.lease,
                what,
            )

    @staticmethod
    def _take(source: deque[Job]) -> list[Job]:
        # One by one, since other threads append and take meanwhile: nothing is lost or doubled.
        taken: list[Job] = []
        try:
            while True:
                taken.append(source.popleft())
        except IndexError:
            return taken


def _nothing() -> None:
    """Stand for a callback that nobody set."""
