"""A job once per period and key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, PlainBackend, enqueued
from tests.servers.process import wait_until

from work_core.app import App
from work_core.codec import encode_payload
from work_core.errors import (
    BackendUnavailable,
    ConfigError,
    EnqueueFailed,
    InvalidArgument,
    UnsupportedError,
)
from work_core.job import Job, utc_now
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware.unique import Unique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_core.backend import Backend
    from work_core.job import QueueName


class Failing(MemoryBackend):
    """A memory backend that fails to enqueue with *error* as long as there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Fail, or enqueue."""
        if self.error is not None:
            raise self.error
        super().enqueue(queue, jobs)


def payload(**arguments: object) -> bytes:
    """Return the payload of a task's job."""
    return encode_payload(arguments)


def test_the_second_job_with_a_payload_is_a_duplicate_of_the_first() -> None:
    """The caller learns which job does the work."""
    enqueue = enqueued(MemoryBackend(), Unique(60))
    enqueue(Job(b"x", "first"))
    batch, stored = enqueue(Job(b"x", "second"))
    assert stored == []
    assert batch.duplicates == {"second": "first"}


def test_another_payload_is_another_job() -> None:
    """Only equals are dropped."""
    enqueue = enqueued(MemoryBackend(), Unique(60))
    enqueue(Job(b"x"))
    assert len(enqueue(Job(b"y"))[1]) == 1


def test_equals_in_one_batch_are_dropped_too() -> None:
    """The first one stays."""
    batch, stored = enqueued(MemoryBackend(), Unique(60))(Job(b"x", "a"), Job(b"x", "b"))
    assert [job.id for job in stored] == ["a"]
    assert batch.duplicates == {"b": "a"}


def test_a_job_may_be_enqueued_again_under_its_own_id() -> None:
    """Replacing a job is not repeating it."""
    enqueue = enqueued(MemoryBackend(), Unique(60))
    enqueue(Job(b"x", "a"))
    assert len(enqueue(Job(b"x", "a"))[1]) == 1


def test_chosen_arguments_make_the_key() -> None:
    """With ``by`` jobs that differ elsewhere are the same."""
    enqueue = enqueued(MemoryBackend(), Unique(60, by=["user"]))
    enqueue(Job(payload(user=1, text="a")))
    assert enqueue(Job(payload(user=1, text="b")))[1] == []
    assert len(enqueue(Job(payload(user=2, text="b")))[1]) == 1


def test_an_argument_that_is_not_there_is_an_error() -> None:
    """Taking it for absent would make all jobs equal and lose all but the first."""
    enqueue = enqueued(MemoryBackend(), Unique(60, by=["usr"]))
    with pytest.raises(InvalidArgument, match="no argument usr; it has user"):
        enqueue(Job(payload(user=1)))


def test_a_function_makes_the_key() -> None:
    """It may also say that a job is not unique at all."""
    enqueue = enqueued(MemoryBackend(), Unique(60, key=lambda job: job.payload[:1] or None))
    enqueue(Job(b"x1"))
    assert enqueue(Job(b"x2"))[1] == []
    assert len(enqueue(Job(b""), Job(b""))[1]) == 2


def test_the_key_is_free_again_when_the_enqueue_fails() -> None:
    """A job that is not there keeps nobody out."""
    store = Failing()
    enqueue = enqueued(store, Unique(60))
    store.error = BackendUnavailable("away")
    with pytest.raises(BackendUnavailable):
        enqueue(Job(b"x"))
    store.error = None
    assert len(enqueue(Job(b"x"))[1]) == 1


def test_jobs_that_were_stored_keep_their_keys_when_others_fail() -> None:
    """A batch may fail in part."""
    store = Failing()
    enqueue = enqueued(store, Unique(60))
    good, bad = Job(b"x", "good"), Job(b"y", "bad")
    store.error = EnqueueFailed("half", stored=[good], failed=[(bad, "why")])
    with pytest.raises(EnqueueFailed):
        enqueue(good, bad)
    store.error = None
    batch, stored = enqueue(Job(b"x", "again"), Job(b"y"))
    assert batch.duplicates == {"again": "good"}
    assert len(stored) == 1


def test_the_key_is_that_of_the_go_library() -> None:
    """Queue id and SHA-256 in hex, below the namespace."""
    store = MemoryBackend()
    enqueued(store, Unique(60))(Job(b"x", "a"))
    key = f"{QUEUE.queue_id}:{hashlib.sha256(b'x').hexdigest()}"
    assert store.claim(QUEUE.namespace, key, "b", at=utc_now(), period=1) == "a"


def test_by_and_key_exclude_each_other() -> None:
    """One of them says what is equal."""
    with pytest.raises(ConfigError, match="not both"):
        Unique(60, by=["a"], key=lambda _: b"")


def test_a_store_without_once_keys_is_refused_at_start() -> None:
    """Before the first job is taken or lost."""
    with App(PlainBackend(), namespace="test", plugins=[Unique(60)]) as app:
        worker = Worker(app)
        worker.register("send", lambda *_: None)
        with pytest.raises(UnsupportedError, match="OnceKeys"):
            worker.start()


def test_uniqueness_end_to_end(backend: Backend, namespace: str) -> None:
    """Ten equal calls run once, on every store, and each caller gets the id of the one job."""
    ran: list[str] = []
    with App(backend, namespace=namespace) as app:

        @app.task(plugins=[Unique(3600, by=["to"])])
        def send(to: str, n: int) -> None:
            ran.append(to)

        first, *others = [send.enqueue("a", n) for n in range(10)]
        Worker(app).drain()
    assert ran == ["a"]
    assert {(each.id, each.duplicate) for each in others} == {(first.id, True)}


def test_a_key_is_freed_on_completion(backend: Backend, namespace: str) -> None:
    """With ``release`` the next job may come as soon as this one has ended."""
    ran: list[str] = []
    with App(backend, namespace=namespace) as app:

        @app.task(plugins=[Unique(3600, release=True)])
        def send(to: str) -> None:
            ran.append(to)

        send.enqueue("a")
        assert send.enqueue("a").duplicate
        Worker(app).drain()
        assert not send.enqueue("a").duplicate
        Worker(app).drain()
    assert ran == ["a", "a"]


def test_a_key_stays_claimed_through_retries(backend: Backend, namespace: str) -> None:
    """A job that waits for its retry still is the one."""
    with App(backend, namespace=namespace) as app:

        @app.task(plugins=[Unique(3600, release=True)], backoff=lambda *_: 60.0)
        def send(to: str) -> None:
            raise ValueError(to)

        send.enqueue("a")
        Worker(app).drain()
        assert send.enqueue("a").duplicate


def test_a_key_is_free_after_its_period(backend: Backend, namespace: str) -> None:
    """Whatever became of the job."""
    with App(backend, namespace=namespace) as app:

        @app.task(plugins=[Unique(1.0)])
        def send() -> None: ...

        send.enqueue()
        assert send.enqueue().duplicate
        wait_until(lambda: not send.enqueue().duplicate, "the key to expire")
