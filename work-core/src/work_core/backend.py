"""The backend contract: what a store owes, and what it may rely on.

Every obligation here is proven by ``work_core.testing.BackendConformance``.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import TracebackType

    from work_core.errors import InvalidRecord
    from work_core.job import Job, QueueName

logger = logging.getLogger("work")


class Exchange(NamedTuple):
    """What one ``exchange`` did.

    Attributes:
        lost: those of the acked jobs whose lease somebody else holds by now.
        jobs: the newly leased jobs.
    """

    lost: list[Job]
    jobs: list[Job]


class Backend(ABC):
    """Where jobs wait.

    One object serves a whole process: every method must be safe to call from any thread. Callers
    pass any number of jobs; the limits of the store stay inside. An empty sequence does nothing.
    Arguments are read, never kept: a backend must not hold on to a ``Job`` of the caller.

    Every error of the driver crosses the edge as a ``WorkError`` raised ``from`` the original:
    ``BackendUnavailable`` when the same call may succeed later, ``PayloadTooLarge``,
    ``BackendClosed`` after ``close()``, else ``BackendError``. No message holds the URL's
    password.

    Time comes in as *at* (aware UTC), so that tests can travel; a store with its own clock
    ignores it and says so.
    """

    resolution: float = 0.0
    """By how many seconds at most a due job may come late because the store's clock is coarse."""

    @abstractmethod
    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Store all *jobs* durably before returning.

        A job whose id is already in the queue is replaced, due time and payload and all, and a
        lease on it is void. Of two jobs with one id in a call the later wins. An ``enqueued_at``
        in the future keeps a job hidden until then: never early, late by no more than
        ``resolution``. An id is unique within its namespace: the caller never keeps one id in two
        queues.

        Raises:
            PayloadTooLarge: before anything was stored.
            EnqueueFailed: when some jobs were stored and others were not.
        """

    @abstractmethod
    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Lease at most *limit* jobs that are due at *at*, oldest due time first.

        Equal due times come in the order of their ids. A leased job is hidden until *at* plus
        *lease* seconds, its ``deliveries`` is counted, and its ``lease`` is set. Two callers
        never hold the same job. Where a redelivered job stands among the due ones is the store's
        to choose.

        With nothing due the call may wait up to *wait* seconds, during which *at* moves on, and
        must return as soon as a job is there or ``wake()`` is called. A *limit* of 0 or less
        returns an empty list at once.

        A record that cannot be decoded must never hide or fail the others: set it aside, where an
        operator finds it and ``dequeue`` does not, and call ``report_invalid``.
        """

    @abstractmethod
    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Remove leased *jobs* that are done.

        Returns the jobs that are still in the store but whose lease is lost (expired and leased
        again, rescheduled or replaced); those are not changed. Acking twice, or a job that is
        gone, is not an error and returns nothing. An expired lease that nobody took is still the
        holder's.
        """

    @abstractmethod
    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Give leased *jobs* back, due at their ``enqueued_at``, with all fields as they are now.

        The stored ``deliveries`` starts again at 0. Returns the jobs whose lease is lost or that
        are gone; for those nothing changes: a deleted job is never brought back to life.
        """

    @abstractmethod
    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Keep leased *jobs* hidden until *until*, and set their ``lease`` accordingly.

        Returns the jobs whose lease is lost or that are gone; for those nothing changes.
        """

    def exchange(
        self,
        queue: QueueName,
        done: Sequence[Job],
        limit: int,
        *,
        at: datetime,
        lease: float,
        wait: float = 0.0,
    ) -> Exchange:
        """Ack *done*, then dequeue, as ``ack`` and ``dequeue`` would.

        Override it where the store does both in one round trip. The acks must take effect before
        the call waits. When it raises, any part may have happened: acking again is safe.
        """
        lost = self.ack(queue, done) if done else []
        return Exchange(lost, self.dequeue(queue, limit, at=at, lease=lease, wait=wait))

    def wake(self) -> None:  # noqa: B027 - a backend that never waits has nobody to wake
        """Make every ``dequeue`` that waits in this process return early, and soon."""

    def close(self) -> None:  # noqa: B027 - a backend may hold nothing
        """Release what the backend holds. Waiting calls return, later ones raise ``BackendClosed``.

        Closing twice is not an error.
        """

    def report_invalid(self, queue: QueueName, key: str, error: InvalidRecord) -> None:
        """Tell that the record *key* of *queue* was set aside because it is no job.

        Logs at ERROR; replace it on an instance to count or collect.
        """
        logger.error("set aside record %r of queue %s: %s", key, queue, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
