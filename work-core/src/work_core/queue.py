"""What a program holds to enqueue: a backend, a queue name and the enqueue middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_core.capabilities import TransactionalEnqueue
from work_core.errors import ConfigError, PluginError
from work_core.hooks import hooks_of
from work_core.middleware import EnqueueBatch, fold
from work_core.plugins import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from work_core.backend import Backend
    from work_core.job import Job, QueueName


class Enqueued(NamedTuple):
    """What became of one enqueued job.

    Attributes:
        id: the job that will do the work: an earlier one's where this one was a duplicate.
        job: the job as it was stored; ``None`` when a middleware dropped it.
        duplicate: True when an earlier job stands for this one.
    """

    id: str
    job: Job | None
    duplicate: bool = False


class Queue:
    """Enqueue jobs into one queue of one backend; safe from any thread.

    Args:
        backend: the store.
        name: namespace and queue id.
        plugins: middleware around the enqueue, the first outermost.
        stores: where once-keys and semaphores live; the backend itself by default.
    """

    def __init__(
        self,
        backend: Backend,
        name: QueueName,
        plugins: Iterable[object] = (),
        *,
        stores: Backend | None = None,
    ) -> None:
        self.backend = backend
        self.name = name
        self.stores = backend if stores is None else stores
        self._enqueue = fold(hooks_of(plugins).work_enqueue, _store)

    def enqueue(self, job: Job, *, connection: object | None = None) -> Enqueued:
        """Store *job* durably before returning; a job with the same id is replaced.

        Args:
            job: it becomes visible to workers at its ``enqueued_at``.
            connection: a database transaction of the caller: the job exists if and only if it
                commits.

        Raises:
            ConfigError: for a job with a field of the wrong type, a naive time or no id.
            BackendError: when the job is not stored.
            UnsupportedError: for a *connection* where the backend cannot enqueue on one.
        """
        return self.enqueue_many([job], connection=connection)[0]

    def enqueue_many(
        self, jobs: Sequence[Job], *, connection: object | None = None
    ) -> list[Enqueued]:
        """Store *jobs* as ``enqueue`` does, in as few round trips as the store allows.

        Returns what became of each, in the order of *jobs*.
        """
        jobs = list(jobs)
        if not jobs:
            return []
        for job in jobs:
            _check(job)
        batch = EnqueueBatch(self.name, jobs.copy(), self.backend, self.stores, connection)
        stored = self._enqueue(batch)
        if stored == jobs:
            return [Enqueued(job.id, job) for job in jobs]
        if stored is None:
            raise PluginError(
                f"a work_enqueue wrapper of queue {self.name} returned None where the stored jobs "
                "are expected; end it with: return (yield)"
            )
        kept = {job.id: job for job in stored}
        return [_result(job, kept, batch.duplicates) for job in jobs]

    def __repr__(self) -> str:
        return f"Queue({self.backend!r}, {str(self.name)!r})"


def _store(batch: EnqueueBatch) -> list[Job]:
    if batch.connection is None:
        batch.backend.enqueue(batch.queue, batch.jobs)
    else:
        transactional: TransactionalEnqueue = require(batch.backend, TransactionalEnqueue)
        transactional.enqueue(batch.queue, batch.jobs, connection=batch.connection)
    return batch.jobs


def _check(job: Job) -> None:
    if not job.id or type(job.id) is not str:
        raise ConfigError(
            f"a job's id must be text that is not empty, not {job.id!r}; leave it out to get one"
        )
    if type(job.payload) is not bytes:
        raise ConfigError(
            f"the payload of job {job.id!r} must be bytes, not {type(job.payload).__name__}"
        )
    for moment in (job.created_at, job.updated_at, job.enqueued_at):
        if getattr(moment, "tzinfo", None) is None:
            raise ConfigError(
                f"the times of job {job.id!r} must be aware datetimes, such as datetime.now(UTC), "
                f"not {moment!r}"
            )


def _result(job: Job, kept: dict[str, Job], duplicates: dict[str, str]) -> Enqueued:
    if job.id in kept:
        return Enqueued(job.id, kept[job.id])
    return Enqueued(duplicates.get(job.id, job.id), None, duplicate=job.id in duplicates)
