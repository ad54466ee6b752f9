"""What some stores can do and others cannot emulate, one small ABC each.

A backend has a capability by inheriting from its ABC: the class line is the list. Middleware asks
once, at start, with ``require`` and never for a particular store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from work_core.job import Job, QueueName


class JobFinder(ABC):
    """Look jobs up by id."""

    @abstractmethod
    def find(self, queue: QueueName, ids: Sequence[str]) -> list[Job | None]:
        """Return the job of each id, in order, ``None`` where it is not in this queue.

        Leased jobs are found too. The returned jobs carry no lease.
        """

    @abstractmethod
    def delete(self, queue: QueueName, ids: Sequence[str]) -> list[bool]:
        """Delete the job of each id, leased or not, and tell for each whether it was there.

        The holder of a deleted job's lease can no longer reschedule or extend it.
        """


class QueueMetrics(NamedTuple):
    """The state of a queue at one moment.

    Attributes:
        ready: jobs that are due and not leased.
        scheduled: all others: due later, or leased.
        latency: for how many seconds the oldest ready job has been due; 0 with none ready, and NaN
            where the store cannot tell.
        exact: False when the store only estimates or stopped counting.
    """

    ready: int
    scheduled: int
    latency: float
    exact: bool = True


class MetricsExporter(ABC):
    """Count what waits, at a cost that stays small with millions of jobs."""

    @abstractmethod
    def metrics(self, queue: QueueName, *, at: datetime) -> QueueMetrics:
        """Return the state of *queue* at *at*; all zero for a queue that does not exist."""


class Page(NamedTuple):
    """One page of jobs.

    Attributes:
        jobs: in due order, without lease.
        cursor: pass it as *after* to get the next page; ``None`` on the last one.
    """

    jobs: list[Job]
    cursor: str | None


class Browser(ABC):
    """List queues, and their jobs page by page."""

    @abstractmethod
    def queues(self, namespace: str) -> list[QueueName]:
        """Return the queues of *namespace* that hold jobs, sorted by name."""

    @abstractmethod
    def jobs(self, queue: QueueName, *, limit: int = 100, after: str | None = None) -> Page:
        """Return at most *limit* jobs that come after the cursor *after*, leased ones included.

        A job that neither moves nor goes while the pages are read is seen once. A cursor that this
        backend did not make is a ``ConfigError``.
        """


class Semaphores(ABC):
    """Let at most N holders in at a time, in every process that uses the store."""

    @abstractmethod
    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: datetime, until: datetime
    ) -> bool:
        """Take one of *limit* places under *key* until *until*, and tell whether there was one.

        Places whose time is over at *at* are free. A *holder* that has a place keeps it, and its
        time becomes *until*: that is how a place is renewed. (Go's key:
        ``{namespace}:lock:{key}``.)
        """

    @abstractmethod
    def release(self, namespace: str, key: str, holder: str) -> None:
        """Give the place of *holder* back; not an error when it has none."""


class OnceKeys(ABC):
    """Give a key away once per period."""

    @abstractmethod
    def claim(
        self, namespace: str, key: str, owner: str, *, at: datetime, period: float
    ) -> str | None:
        """Claim *key* for *owner* for *period* seconds from *at*.

        Returns ``None`` when the key was free or already *owner*'s (whose period is not prolonged),
        else its owner. (Go's key: ``{namespace}:unique:{key}``.)
        """

    @abstractmethod
    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Free *key* if *owner* holds it, and tell whether it did."""


class TransactionalEnqueue(ABC):
    """Enqueue and ack within a database transaction of the caller.

    With a *connection* the call runs on it and never begins, commits, rolls back or retries: the
    jobs exist if and only if the caller commits.
    """

    @abstractmethod
    def enqueue(
        self, queue: QueueName, jobs: Sequence[Job], *, connection: object | None = None
    ) -> None:
        """Store *jobs* as ``Backend.enqueue`` does, in the transaction of *connection* if given."""

    @abstractmethod
    def ack(
        self, queue: QueueName, jobs: Sequence[Job], *, connection: object | None = None
    ) -> list[Job]:
        """Ack *jobs* as ``Backend.ack`` does, in the transaction of *connection* if given."""


CAPABILITIES: tuple[type, ...] = (
    JobFinder,
    MetricsExporter,
    Browser,
    Semaphores,
    OnceKeys,
    TransactionalEnqueue,
)
"""All capability ABCs, in the order in which they are listed to users."""
