"""A lane: one queue of a worker, from the fetch to the ack.

What the two kinds of lane (threads, event loop) share lives here: the fetch that carries the acks
of what is done, and what happens to a job after its handler.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

from work_core.errors import BackendClosed, BackendUnavailable, PluginError
from work_core.middleware import DequeueRequest, HandleContext, fold
from work_core.retry import SUCCESS, Decision, Outcome, apply, decide
from work_core.worker.prefetch import Prefetch
from work_core.worker.settlement import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pluggy import HookRelay

    from work_core.backend import Backend
    from work_core.job import Job, QueueName
    from work_core.worker.handler import Dispatcher, Handler

logger = logging.getLogger("work")

IDLE_WAIT = 5.0
"""Seconds that one fetch may wait inside the store for a job."""

TURN = 0.01
"""Seconds after which a lane looks again whether its turn has come, under a strict order."""

SKIPPED = 0.02
"""Seconds until a lane whose round was skipped by a middleware tries again, unless a job ends."""

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
        self._dequeue = fold(hooks.work_dequeue, self._exchange)
        self._settlement = Settlement(queue, backend, hooks, lease=lease, clock=clock)
        self._prefetch = Prefetch(lease)
        self._idle = False
        self._nudge = threading.Event()
        self._pausing = False
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

    @property
    def last_change(self) -> float:
        """When a job last ended or was put back: a fetch before that says nothing about now."""
        return max(self.last_end, self._settlement.rescheduled_at)

    def settle(self) -> None:
        """Tell the store everything that it has yet to know."""
        self._settlement.flush()

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
            self._settlement.reschedule()
            jobs = self._checked(self._dequeue(request))
        except BackendClosed:
            raise
        except Exception as error:  # noqa: BLE001 - a worker outlives every failure of its store
            self._fetch_failed(error)
            return []
        self._fetch_succeeded()
        self._idle = not jobs
        if not jobs:
            if request.limit > 0:
                self.empty_since = began
                self.on_empty()
            self._pause(request)
        return jobs

    def has_work(self) -> bool:
        """Tell whether a lesser queue has to wait for this one, as far as this worker knows."""
        waits_in_vain = self._idle or time.monotonic() - self._asked > TURN
        return self.busy() or not waits_in_vain

    def _exchange(self, request: DequeueRequest) -> list[Job]:
        done = self._settlement.take_done()
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
            self._settlement.untake(done)
            raise
        self._settlement.tell_lost(lost, "ack")
        return jobs

    @staticmethod
    def _checked(jobs: list[Job] | None) -> list[Job]:
        if jobs is None:
            raise PluginError("a work_dequeue wrapper returned None; end it with: return (yield)")
        return jobs

    def _pause(self, request: DequeueRequest) -> None:
        """Keep a middleware that skips rounds, or a drain, from turning the loop into a spin."""
        if request.limit <= 0:
            self._nudge.clear()
            self._pausing = True
            self._nudge.wait(SKIPPED)
            self._pausing = False
        elif request.wait == 0.0:
            self.stopping.wait(0.001)

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

    def _ended(self) -> None:
        """Note the end of a run; a middleware without a place for another job may have one now."""
        self.last_end = time.monotonic()
        if self._pausing:
            self._nudge.set()

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
            self._settlement.tell_lost([job], "ack")
        else:
            self._settlement.ack_later(job)

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
            self._settlement.tell_lost([job], outcome.decision.value)
            return
        if outcome.decision is Decision.DISCARD:
            self._settlement.ack_later(job)
        elif outcome.decision is not Decision.LEAVE:
            self._settlement.reschedule_later(job)

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


def _nothing() -> None:
    """Stand for a callback that nobody set."""
