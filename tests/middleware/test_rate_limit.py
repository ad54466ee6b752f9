"""Few starts per period in the whole cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, PlainBackend, fetched, handled, make_context
from tests.servers.process import wait_until

from work_core.app import App
from work_core.errors import UnsupportedError
from work_core.job import Job, utc_now
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware import gate
from work_middleware.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from work_core.backend import Backend


@pytest.fixture(autouse=True)
def always_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the store each time, though the limit was reached a moment ago."""
    monkeypatch.setattr(gate, "_PROBE", 0.0)


def store_with(count: int) -> MemoryBackend:
    """Return a store with *count* jobs that are due."""
    store = MemoryBackend()
    store.enqueue(QUEUE, [Job() for _ in range(count)])
    return store


def ends(store: MemoryBackend) -> list[datetime]:
    """Return when the places that are taken come free."""
    return sorted(store._places.get(("test", "send:rate"), {}).values())


def test_processes_share_the_limit() -> None:
    """What one of them may start, the others may not."""
    store = store_with(9)
    one, other = fetched(store, RateLimit(3, 60)), fetched(store, RateLimit(3, 60))
    assert [len(one(2)), len(other(9)), len(one(9))] == [2, 1, 0]


def test_the_end_of_a_job_makes_no_room() -> None:
    """A start counts for the whole period."""
    store, plugin = store_with(2), RateLimit(1, 60)
    fetch = fetched(store, plugin)
    (job,) = fetch(9)
    handled(lambda _: None, plugin)(job, make_context(store))
    assert fetch(9) == []


def test_the_period_begins_when_the_job_starts() -> None:
    """Until then a job in the buffer holds its place for its lease."""
    store, plugin = store_with(1), RateLimit(1, 5)
    (job,) = fetched(store, plugin)(9)
    (before,) = ends(store)
    assert before > utc_now() + timedelta(seconds=50)
    handled(lambda _: None, plugin)(job, make_context(store))
    plugin._note_starts()
    (after,) = ends(store)
    assert after <= utc_now() + timedelta(seconds=5)


def test_places_that_nobody_used_are_given_back() -> None:
    """Asking for more jobs than there are costs nothing of the limit."""
    store = store_with(1)
    assert len(fetched(store, RateLimit(5, 60))(9)) == 1
    assert len(ends(store)) == 1


def test_jobs_that_are_given_back_give_their_places_back() -> None:
    """They did not start."""
    store, plugin = store_with(1), RateLimit(5, 60)
    plugin.work_jobs_returned(QUEUE, fetched(store, plugin)(9))
    assert ends(store) == []


def test_a_store_without_semaphores_is_refused_at_start() -> None:
    """Before the first job is taken."""
    with App(PlainBackend(), namespace="test", plugins=[RateLimit(1, 1)]) as app:
        worker = Worker(app)
        worker.register("send", lambda *_: None)
        with pytest.raises(UnsupportedError, match="Semaphores"):
            worker.start()


def test_no_window_sees_more_starts_than_the_limit(
    open_store: Callable[[], Backend], namespace: str
) -> None:
    """Two workers together, on every store, in any period."""
    limit, period = 4, 1.0
    starts: list[datetime] = []
    apps = [
        App(open_store(), namespace=namespace, plugins=[RateLimit(limit, period)]) for _ in range(2)
    ]
    apps[0].queue("send").enqueue_many([Job() for _ in range(10)])
    workers = [Worker(app) for app in apps]
    for worker in workers:
        worker.register("send", lambda *_: starts.append(utc_now()))
        worker.start()
    wait_until(lambda: len(starts) == 10, "all jobs")
    for worker in workers:
        worker.stop()
    starts.sort()
    gaps = [
        (later - first).total_seconds()
        for first, later in zip(starts, starts[limit:], strict=False)
    ]
    # A place lasts for a period from just before its start is recorded here.
    assert all(gap > period - 0.1 for gap in gaps)
