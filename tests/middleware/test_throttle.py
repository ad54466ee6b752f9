"""Fetching less often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, fetched

from work_core.app import App
from work_core.errors import ConfigError
from work_core.job import Job, QueueName
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware import throttle
from work_middleware.local_concurrency import LocalConcurrency
from work_middleware.throttle import Throttle

if TYPE_CHECKING:
    from work_core.backend import Backend


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the monotonic time, which stands still until the test sets it."""
    now = [1000.0]
    monkeypatch.setattr(throttle, "monotonic", lambda: now[0])
    return now


def test_a_queue_is_polled_once_per_interval(clock: list[float]) -> None:
    """A fetch that comes too early finds nothing and does not ask the store."""
    store = MemoryBackend()
    store.enqueue(QUEUE, [Job(), Job(), Job()])
    fetch = fetched(store, Throttle(interval=1.0))
    assert len(fetch(1)) == 1
    assert fetch(1) == []
    clock[0] += 1.0
    assert len(fetch(1)) == 1


def test_after_nothing_was_there_the_queue_is_left_alone(clock: list[float]) -> None:
    """Finding jobs does not slow the polling down; finding none does."""
    store = MemoryBackend()
    store.enqueue(QUEUE, [Job(), Job()])
    fetch = fetched(store, Throttle(after_empty=1.0))
    assert [len(fetch(1)), len(fetch(1)), len(fetch(1))] == [1, 1, 0]
    store.enqueue(QUEUE, [Job()])
    assert fetch(1) == []
    clock[0] += 1.0
    assert len(fetch(1)) == 1


def test_a_round_that_another_plug_in_skipped_says_nothing(clock: list[float]) -> None:
    """A full buffer is no empty queue."""
    store = MemoryBackend()
    store.enqueue(QUEUE, [Job(), Job()])
    full = LocalConcurrency(1)
    fetch = fetched(store, Throttle(after_empty=60.0), full)
    (job,) = fetch(1)
    assert fetch(1) == []
    full.work_jobs_returned(QUEUE, [job])
    assert len(fetch(1)) == 1
    assert clock == [1000.0]


def test_queues_are_throttled_one_by_one(clock: list[float]) -> None:
    """The fetch from one queue does not hold up the other."""
    store, plugin, other = MemoryBackend(), Throttle(interval=1.0), QueueName("test", "other")
    store.enqueue(other, [Job()])
    assert fetched(store, plugin)(1) == []
    assert len(fetched(store, plugin, queue=other)(1)) == 1
    assert clock == [1000.0]


def test_it_must_be_told_what_to_do() -> None:
    """A throttle without a time is a mistake."""
    with pytest.raises(ConfigError, match="interval or after_empty"):
        Throttle()


def test_a_throttled_worker_does_all_jobs(backend: Backend, namespace: str) -> None:
    """Skipped rounds delay jobs and lose none, on every store."""
    done: list[int] = []
    with App(backend, namespace=namespace, plugins=[Throttle(interval=0.001)]) as app:

        @app.task
        def send(number: int) -> None:
            done.append(number)

        send.enqueue_many([(number,) for number in range(20)])
        while len(done) < 20:
            Worker(app).drain()
    assert sorted(done) == list(range(20))
