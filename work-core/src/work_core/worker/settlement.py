"""What the store has yet to be told about the jobs of a lane: acks, reschedules, returns."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from work_core.errors import BackendError, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pluggy import HookRelay

    from work_core.backend import Backend
    from work_core.job import Job, QueueName

logger = logging.getLogger("work")


class Settlement:
    """Collect what became of jobs, and tell the store; safe from any thread.

    Acks are taken along by the next fetch; ``flush`` sends what nothing took along. What the store
    could not be told is kept for the next time.

    Attributes:
        rescheduled_at: when jobs were last put back, on the monotonic clock.
    """

    def __init__(
        self,
        queue: QueueName,
        backend: Backend,
        hooks: HookRelay,
        *,
        lease: float,
        clock: Callable[[], datetime],
    ) -> None:
        self.rescheduled_at = 0.0
        self._queue = queue
        self._backend = backend
        self._hooks = hooks
        self._lease = lease
        self._clock = clock
        self._done: deque[Job] = deque()
        self._back: deque[Job] = deque()
        self._in_transit: list[bool] = []
        self.ack_later = self._done.append
        self.reschedule_later = self._back.append

    @property
    def pending(self) -> bool:
        """True while the store has not been told everything."""
        return bool(self._done or self._back or self._in_transit)

    def take_done(self) -> list[Job]:
        """Hand out what is to be acked; ``untake`` it when that failed."""
        return take(self._done)

    def untake(self, done: list[Job]) -> None:
        """Keep what could not be acked, ahead of what came after it."""
        self._done.extendleft(reversed(done))

    def flush(self) -> None:
        """Tell the store everything now, and log what cannot be told."""
        try:
            self.reschedule()
            if self._done:
                self._ack()
        except Exception as error:  # noqa: BLE001 - kept, and told again with the next fetch
            logger.error("cannot settle jobs of queue %s: %s", self._queue, error)  # noqa: TRY400

    def reschedule(self) -> None:
        """Put back what failed or snoozed.

        A job that the store refuses, one that has become too large say, is left to its lease: it
        must not hold up the others for ever.
        """
        if not self._back:
            return
        self._in_transit.append(True)
        try:
            self._reschedule(take(self._back))
        finally:
            self.rescheduled_at = time.monotonic()
            self._in_transit.pop()

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
                self._backend.reschedule(self._queue, clean)
            if suspect:
                self._backend.extend(self._queue, suspect, until=self._clock())
        except Exception as error:  # noqa: BLE001 - their leases end by themselves
            logger.error(  # noqa: TRY400
                "cannot give %d jobs of queue %s back, they return when their leases end: %s",
                len(jobs),
                self._queue,
                error,
            )
        try:
            self._hooks.work_jobs_returned(queue=self._queue, jobs=list(jobs))
        except Exception:
            logger.exception("a plug-in failed on the return of %d jobs", len(jobs))

    def tell_lost(self, jobs: Sequence[Job], what: str) -> None:
        """Log that *jobs* had lost their leases when they were to be settled."""
        for job in jobs:
            logger.warning(
                "job %s of queue %s lost its lease of %g s before its %s: it may run twice; "
                "use the heartbeat middleware or a longer lease",
                job.id,
                self._queue,
                self._lease,
                what,
            )

    def _ack(self) -> None:
        done = self.take_done()
        try:
            lost = self._backend.ack(self._queue, done)
        except BaseException:
            self.untake(done)
            raise
        self.tell_lost(lost, "ack")

    def _reschedule(self, back: list[Job]) -> None:
        try:
            self.tell_lost(self._backend.reschedule(self._queue, back), "reschedule")
        except BackendUnavailable:
            self._back.extendleft(reversed(back))
            raise
        except BackendError:
            for job in back:
                self._reschedule_alone(job)

    def _reschedule_alone(self, job: Job) -> None:
        try:
            self.tell_lost(self._backend.reschedule(self._queue, [job]), "reschedule")
        except BackendUnavailable:
            self._back.append(job)
        except BackendError as error:
            logger.error(  # noqa: TRY400 - the store's word is the whole story
                "job %s of queue %s cannot be rescheduled and returns when its lease ends: %s",
                job.id,
                self._queue,
                error,
            )


def take(source: deque[Job]) -> list[Job]:
    """Empty *source*; one by one, so that threads that append or take meanwhile lose nothing."""
    taken: list[Job] = []
    try:
        while True:
            taken.append(source.popleft())
    except IndexError:
        return taken
