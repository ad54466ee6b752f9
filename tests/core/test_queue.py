"""A queue stores jobs through its middleware and tells what became of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from work_core.errors import ConfigError, PluginError, UnsupportedError
from work_core.hookspecs import hookimpl
from work_core.job import Job, QueueName
from work_core.memory import MemoryBackend
from work_core.queue import Enqueued, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from work_core.middleware import EnqueueBatch

NAME = QueueName("test", "mail")
NOW = datetime(2023, 11, 14, tzinfo=UTC)


@pytest.fixture
def backend() -> Iterator[MemoryBackend]:
    """An empty store."""
    with MemoryBackend() as backend:
        yield backend


def stored(backend: MemoryBackend) -> list[str]:
    """Return the ids of what waits in the queue."""
    return [job.id for job in backend.jobs(NAME).jobs]


class Wrapper:
    """A middleware made of one function, which gets the batch before it is stored."""

    def __init__(self, before: Callable[[EnqueueBatch], None]) -> None:
        self.before = before

    @hookimpl(wrapper=True)
    def work_enqueue(self, batch: EnqueueBatch) -> Generator[None, list[Job], list[Job]]:
        """Let the function see the batch."""
        self.before(batch)
        return (yield)


class Forgetful:
    """A middleware that does not return what it got."""

    @hookimpl(wrapper=True)
    def work_enqueue(self) -> Generator[None, Any, None]:
        """Return nothing."""
        yield


def test_a_job_is_stored_before_enqueue_returns(backend: MemoryBackend) -> None:
    """One job goes in, and the same comes back with its id."""
    job = Job(b"payload", id="one")
    assert Queue(backend, NAME).enqueue(job) == Enqueued("one", job, duplicate=False)
    assert backend.find(NAME, ["one"]) == [job]


def test_many_jobs_are_told_in_their_order(backend: MemoryBackend) -> None:
    """Of many jobs each has its result, in the order of the call; any iterable will do."""
    jobs = [Job(id=name, created_at=NOW) for name in ("c", "a", "b")]
    done = Queue(backend, NAME).enqueue_many(iter(jobs))  # type: ignore[arg-type] # on purpose
    assert [each.id for each in done] == ["c", "a", "b"]
    assert stored(backend) == ["a", "b", "c"]


def test_no_jobs_are_no_work(backend: MemoryBackend) -> None:
    """An empty batch goes nowhere, not even through the middleware."""
    seen: list[EnqueueBatch] = []
    assert Queue(backend, NAME, [Wrapper(seen.append)]).enqueue_many([]) == []
    assert seen == []


def test_the_middleware_sees_one_batch(backend: MemoryBackend) -> None:
    """A wrapper gets the whole batch, with the queue, the backend and the stores."""
    seen: list[EnqueueBatch] = []
    with MemoryBackend() as stores:
        queue = Queue(backend, NAME, [Wrapper(seen.append)], stores=stores)
        queue.enqueue_many([Job(id="a"), Job(id="b")])
    (batch,) = seen
    assert (batch.queue, batch.backend, batch.stores) == (NAME, backend, stores)
    assert [job.id for job in batch.jobs] == ["a", "b"]


def test_the_stores_are_the_backend_by_default(backend: MemoryBackend) -> None:
    """Once-keys and semaphores live in the backend unless told otherwise."""
    assert Queue(backend, NAME).stores is backend


def test_a_middleware_may_change_a_job(backend: MemoryBackend) -> None:
    """What a wrapper writes into a job is stored."""

    def delay(batch: EnqueueBatch) -> None:
        for job in batch.jobs:
            job.enqueued_at += timedelta(hours=1)

    done = Queue(backend, NAME, [Wrapper(delay)]).enqueue(Job(id="a", created_at=NOW))
    assert done.job is not None
    assert done.job.enqueued_at == NOW + timedelta(hours=1)
    assert backend.dequeue(NAME, 1, at=NOW, lease=1) == []


def test_a_middleware_may_drop_a_job(backend: MemoryBackend) -> None:
    """A dropped job is told with its id and without a job; the others are stored."""

    def drop(batch: EnqueueBatch) -> None:
        batch.jobs = [job for job in batch.jobs if job.id != "b"]

    done = Queue(backend, NAME, [Wrapper(drop)]).enqueue_many([Job(id=name) for name in "abc"])
    assert [(each.id, each.job is None, each.duplicate) for each in done] == [
        ("a", False, False),
        ("b", True, False),
        ("c", False, False),
    ]
    assert sorted(stored(backend)) == ["a", "c"]


def test_a_duplicate_is_told_by_the_job_that_stands_for_it(backend: MemoryBackend) -> None:
    """Where an earlier job does the work, its id is the result."""

    def drop(batch: EnqueueBatch) -> None:
        batch.duplicates["b"] = "earlier"
        batch.jobs.pop()

    done = Queue(backend, NAME, [Wrapper(drop)]).enqueue_many([Job(id="a"), Job(id="b")])
    assert done[1] == Enqueued("earlier", None, duplicate=True)


def test_a_middleware_may_change_the_order(backend: MemoryBackend) -> None:
    """Results stand in the order of the call, whatever the order of storing."""
    queue = Queue(backend, NAME, [Wrapper(lambda batch: batch.jobs.reverse())])
    jobs = [Job(id="a"), Job(id="b")]
    assert [each.job for each in queue.enqueue_many(jobs)] == jobs


def test_a_middleware_that_returns_nothing_is_named(backend: MemoryBackend) -> None:
    """The usual slip, a wrapper without return, is told as what it is."""
    with pytest.raises(PluginError, match=r"work_enqueue wrapper .*test/mail.*return \(yield\)"):
        Queue(backend, NAME, [Forgetful()]).enqueue(Job())


def test_an_error_of_the_middleware_stores_nothing(backend: MemoryBackend) -> None:
    """What a wrapper raises before the yield reaches the caller, and the store stays empty."""

    def refuse(batch: EnqueueBatch) -> None:
        raise ValueError(f"no {batch.jobs[0].id}")

    with pytest.raises(ValueError, match="no a"):
        Queue(backend, NAME, [Wrapper(refuse)]).enqueue(Job(id="a"))
    assert stored(backend) == []


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", "", "id must be text that is not empty, not ''"),
        ("id", 7, "id must be text that is not empty, not 7"),
        ("payload", "text", "payload of job 'x' must be bytes, not str"),
        ("enqueued_at", datetime(2023, 1, 1), "aware datetimes"),  # noqa: DTZ001 - on purpose
        ("created_at", None, "aware datetimes.*not None"),
        ("updated_at", 5, "aware datetimes.*not 5"),
    ],
)
def test_a_job_that_no_store_can_hold_is_refused(
    backend: MemoryBackend, field: str, value: object, reason: str
) -> None:
    """A wrong field is named before anything is stored, whatever the backend."""
    job = Job(id="x")
    setattr(job, field, value)
    with pytest.raises(ConfigError, match=reason):
        Queue(backend, NAME).enqueue_many([Job(), job])
    assert stored(backend) == []


def test_a_connection_needs_a_store_with_transactions(backend: MemoryBackend) -> None:
    """The caller's transaction is never ignored: a backend without them is named."""
    with pytest.raises(UnsupportedError, match="MemoryBackend is not a TransactionalEnqueue"):
        Queue(backend, NAME).enqueue(Job(), connection=object())
    assert stored(backend) == []


def test_a_queue_shows_where_it_is(backend: MemoryBackend) -> None:
    """A queue in a log or a debugger tells its name."""
    assert "'test/mail'" in repr(Queue(backend, NAME))
