"""Plug-ins folded as the worker folds them, without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.backend import Backend
from work_core.hooks import hooks_of
from work_core.job import QueueName
from work_core.memory import MemoryBackend
from work_core.middleware import DequeueRequest, EnqueueBatch, HandleContext, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from work_core.job import Job

QUEUE = QueueName("test", "send")


def handled(handler: Callable[[Job], object], *plugins: object) -> Callable[..., Any]:
    """Return *handler* inside *plugins*, taking a job and, if it matters, a context."""
    run = fold(hooks_of(plugins).work_handle, lambda job, _: handler(job))
    return lambda job, context=None: run(job, context or make_context())


def make_context(
    backend: Backend | None = None, queue: QueueName = QUEUE, *, lease: float = 60.0
) -> HandleContext:
    """Return the context of a first run."""
    backend = backend or MemoryBackend()
    return HandleContext(queue, "send", backend, backend, lease, None, 1)


def fetched(
    backend: Backend, *plugins: object, queue: QueueName = QUEUE
) -> Callable[..., list[Job]]:
    """Return a fetch from *queue* inside *plugins*, as a lane makes it."""
    from work_core.job import utc_now

    def dequeue(request: DequeueRequest) -> list[Job]:
        return backend.dequeue(request.queue, request.limit, at=utc_now(), lease=request.lease)

    fold_of = fold(hooks_of(plugins).work_dequeue, dequeue)

    def fetch(limit: int = 100, *, idle: bool = False) -> list[Job]:
        request = DequeueRequest(queue, limit, 60.0, 0.0, backend, backend, idle)
        jobs: list[Job] = fold_of(request)
        return jobs

    return fetch


def enqueued(backend: Backend, *plugins: object, queue: QueueName = QUEUE) -> Callable[..., Any]:
    """Return an enqueue inside *plugins*; it returns the batch and what was stored."""

    def store(batch: EnqueueBatch) -> list[Job]:
        backend.enqueue(batch.queue, batch.jobs)
        return batch.jobs

    fold_of = fold(hooks_of(plugins).work_enqueue, store)

    def enqueue(*jobs: Job) -> tuple[EnqueueBatch, list[Job]]:
        batch = EnqueueBatch(queue, list(jobs), backend, backend)
        return batch, fold_of(batch)

    return enqueue


def fail(job: Job) -> None:
    """Handle *job* badly."""
    raise ValueError("no reason")


def succeed(job: Job) -> str:
    """Handle *job* well."""
    return f"did {job.id}"


class PlainBackend(Backend):
    """A backend that can do what the contract says and nothing more."""

    def __init__(self) -> None:
        self._inner = MemoryBackend()

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Pass it on."""
        self._inner.enqueue(queue, jobs)

    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Pass it on."""
        return self._inner.dequeue(queue, limit, at=at, lease=lease, wait=wait)

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Pass it on."""
        return self._inner.ack(queue, jobs)

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Pass it on."""
        return self._inner.reschedule(queue, jobs)

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Pass it on."""
        return self._inner.extend(queue, jobs, until=until)

    def wake(self) -> None:
        """Pass it on."""
        self._inner.wake()
