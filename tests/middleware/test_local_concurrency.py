"""Few jobs of a queue at once in one process."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, fail, fetched, handled, make_context, succeed

from work_core.app import App
from work_core.job import Job
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware import local_concurrency
from work_middleware.local_concurrency import LocalConcurrency

if TYPE_CHECKING:
    from work_core.backend import Backend


def store_with(count: int) -> MemoryBackend:
    """Return a store with *count* jobs that are due."""
    store = MemoryBackend()
    store.enqueue(QUEUE, [Job() for _ in range(count)])
    return store


def test_no_more_jobs_are_fetched_than_may_run() -> None:
    """Jobs that were fetched and have not ended count, wherever they are."""
    fetch = fetched(store_with(5), LocalConcurrency(2))
    assert [len(fetch(9)), len(fetch(9))] == [2, 0]


@pytest.mark.parametrize("handler", [succeed, fail])
def test_a_job_that_ends_makes_room(handler: object) -> None:
    """Whether it succeeds or fails."""
    plugin = LocalConcurrency(1)
    fetch = fetched(store_with(3), plugin)
    (job,) = fetch(9)
    try:
        handled(handler, plugin)(job, make_context())  # type: ignore[arg-type]
    except ValueError:
        assert handler is fail
    assert len(fetch(9)) == 1


def test_jobs_that_are_given_back_make_room_once() -> None:
    """A job that is given back while it runs is not counted off twice."""
    plugin = LocalConcurrency(2)
    fetch = fetched(store_with(9), plugin)
    first, second = fetch(9)
    plugin.work_jobs_returned(QUEUE, [first, second])
    plugin.work_jobs_returned(QUEUE, [first])
    handled(succeed, plugin)(second, make_context())
    assert len(fetch(9)) == 2


def test_a_fetch_that_fails_keeps_no_place() -> None:
    """The store may be away for a while."""
    plugin, store = LocalConcurrency(1), store_with(1)
    store.close()
    with pytest.raises(Exception, match="closed"):
        fetched(store, plugin)(1)
    assert len(fetched(store_with(2), plugin)(9)) == 1


def test_a_worker_with_many_threads_runs_few_at_once(backend: Backend, namespace: str) -> None:
    """The limit holds below the worker's own concurrency, on every store."""
    running, peak, lock = set(), [0], threading.Lock()
    with App(backend, namespace=namespace, plugins=[LocalConcurrency(2)]) as app:
        overlap = threading.Barrier(2, timeout=30)

        @app.task(concurrency=8)
        def send(number: int) -> None:
            with lock:
                running.add(number)
                peak[0] = max(peak[0], len(running))
            overlap.wait()
            with lock:
                running.discard(number)

        send.enqueue_many([(number,) for number in range(10)])
        assert Worker(app).drain() == 10
    assert peak == [2]


def test_a_job_that_vanished_from_the_buffer_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """When its lease is over: with the store away nobody says that a job was given back."""
    plugin, store = LocalConcurrency(1), store_with(2)
    fetch = fetched(store, plugin)
    (lost,) = fetch(9)
    assert fetch(9) == []
    later = time.monotonic() + 61
    monkeypatch.setattr(local_concurrency, "monotonic", lambda: later)
    (job,) = fetch(9)
    seen: list[int] = []
    handled(lambda _: seen.append(len(fetch(9))), plugin)(job, make_context())
    assert seen == [0]
    assert lost.id != job.id
