"""Few jobs at once in the whole cluster."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, PlainBackend, fail, fetched, handled, make_context
from tests.servers.process import wait_until

from work_core.app import App
from work_core.errors import Snooze, UnsupportedError
from work_core.job import Job, QueueName, utc_now
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware import gate
from work_middleware.concurrency import Concurrency

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.backend import Backend


@pytest.fixture(autouse=True)
def always_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the store each time, though the key was full a moment ago."""
    monkeypatch.setattr(gate, "_PROBE", 0.0)


def store_with(count: int, *queues: QueueName) -> MemoryBackend:
    """Return a store with *count* jobs that are due in each queue."""
    store = MemoryBackend()
    for queue in queues or (QUEUE,):
        store.enqueue(queue, [Job() for _ in range(count)])
    return store


def places(store: MemoryBackend, key: str = "send") -> int:
    """Return how many places are taken under *key*."""
    taken = store._places.get(("test", key), {})
    return sum(end > utc_now() for end in taken.values())


def test_processes_share_the_places() -> None:
    """What one of them has fetched, the others cannot."""
    store = store_with(9)
    one, other = fetched(store, Concurrency(3)), fetched(store, Concurrency(3))
    assert [len(one(2)), len(other(9)), len(one(9))] == [2, 1, 0]


def test_no_job_is_fetched_without_a_place() -> None:
    """Nothing is leased only to be put back."""
    store = store_with(2)
    fetched(store, Concurrency(1))(9)
    fetched(store, Concurrency(1))(9)
    assert store.metrics(QUEUE, at=utc_now()).ready == 1


@pytest.mark.parametrize("handler", [fail, lambda _: None])
def test_the_place_goes_to_the_next_job(handler: Callable[[Job], object]) -> None:
    """When a job ends, however it ends, this process may fetch another at once."""
    store, plugin = store_with(2), Concurrency(1)
    fetch = fetched(store, plugin)
    (job,) = fetch(9)
    try:
        handled(handler, plugin)(job, make_context(store))
    except ValueError:
        assert handler is fail
    assert places(store) == 1
    assert len(fetch(9)) == 1


def test_an_empty_queue_keeps_no_place() -> None:
    """A process that finds nothing leaves its places to others."""
    store, plugin = store_with(1), Concurrency(2)
    fetch = fetched(store, plugin)
    (job,) = fetch(9)
    handled(lambda _: None, plugin)(job, make_context(store))
    fetch(9)
    assert places(store) == 0


def test_jobs_that_are_given_back_give_their_places_back() -> None:
    """A job that was never run does not count for ever."""
    store, plugin = store_with(3), Concurrency(1)
    fetch = fetched(store, plugin)
    plugin.work_jobs_returned(QUEUE, fetch(9))
    assert len(fetch(9)) == 1


def test_a_fetch_that_fails_keeps_its_places_for_the_next() -> None:
    """The store of the jobs may be away while that of the places is not."""
    places_store, plugin = store_with(0), Concurrency(1)
    jobs_store = store_with(1)
    jobs_store.close()
    with pytest.raises(Exception, match="closed"):
        fetched(jobs_store, plugin)(1)
    assert places(places_store) == 0


def test_a_running_job_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is renewed for as long as the job runs, beyond its lease."""
    store, plugin = store_with(1), Concurrency(1)
    (job,) = fetched(store, plugin)(9)
    now = utc_now()

    def handler(_: Job) -> None:
        for minute in range(1, 5):
            later = now + timedelta(seconds=50 * minute)
            monkeypatch.setattr(gate, "utc_now", lambda later=later: later)
            monkeypatch.setattr("work_middleware.concurrency.utc_now", lambda later=later: later)
            plugin._tick()

    handled(handler, plugin)(job, make_context(store))
    (end,) = store._places["test", "send"].values()
    assert end >= now + timedelta(seconds=200 + 59)


def test_a_job_whose_place_lapsed_in_the_buffer_is_put_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not start beyond the limit."""
    store, plugin = store_with(1), Concurrency(1)
    (job,) = fetched(store, plugin)(9)
    later = utc_now() + timedelta(minutes=2)
    monkeypatch.setattr("work_middleware.concurrency.utc_now", lambda: later)
    ran: list[Job] = []
    with pytest.raises(Snooze):
        handled(ran.append, plugin)(job, make_context(store))
    assert ran == []


def test_the_places_of_a_killed_process_come_free() -> None:
    """When the leases of its jobs end, and not before."""
    store = store_with(2)
    fetched(store, Concurrency(1))(9)
    held = store._places["test", "send"]
    held.update(dict.fromkeys(held, utc_now() - timedelta(seconds=1)))
    assert len(fetched(store, Concurrency(1))(9)) == 1


def test_queues_may_share_a_limit() -> None:
    """With a key of their own."""
    other = QueueName("test", "other")
    store = store_with(2, QUEUE, other)
    plugin = Concurrency(1, key="provider")
    assert len(fetched(store, plugin)(9)) == 1
    assert fetched(store, plugin, queue=other)(9) == []
    assert places(store, "provider") == 1


def test_an_idle_queue_leaves_the_shared_place_to_others() -> None:
    """After an empty round it rests, so that its waiting cannot starve the others."""
    other = QueueName("test", "other")
    store = store_with(1, other)
    plugin = Concurrency(1, key="provider")
    idle = fetched(store, plugin)
    assert idle(9, idle=True) == []
    store.enqueue(QUEUE, [Job()])
    assert idle(9, idle=True) == []
    assert len(fetched(store, plugin, queue=other)(9)) == 1


def test_an_idle_queue_takes_one_place() -> None:
    """Waiting for work with all places in hand would keep them from those who have some."""
    store = store_with(5)
    assert len(fetched(store, Concurrency(3))(9, idle=True)) == 1
    assert places(store) == 1


def test_a_store_without_semaphores_is_refused_at_start() -> None:
    """Before the first job is taken."""
    with App(PlainBackend(), namespace="test", plugins=[Concurrency(1)]) as app:
        worker = Worker(app)
        worker.register("send", lambda *_: None)
        with pytest.raises(UnsupportedError, match="Semaphores"):
            worker.start()


def test_a_second_store_may_hold_the_places() -> None:
    """A backend that has no semaphores can borrow them."""
    done: list[Job] = []
    stores = MemoryBackend()
    with App(PlainBackend(), namespace="test", plugins=[Concurrency(1)], stores=stores) as app:
        app.queue("send").enqueue_many([Job(), Job()])
        worker = Worker(app)
        worker.register("send", lambda job, _: done.append(job))
        assert worker.drain() == 2


def test_two_workers_together_keep_the_limit(
    open_store: Callable[[], Backend], namespace: str
) -> None:
    """On every store, with more threads than places, and every job runs once."""
    lock = threading.Lock()
    running, ran, peak = 0, 0, 0
    overlap = threading.Barrier(2, timeout=30)

    def handler(_job: Job, _context: object) -> None:
        nonlocal running, ran, peak
        with lock:
            running += 1
            peak = max(peak, running)
        overlap.wait()
        with lock:
            running -= 1
            ran += 1

    apps = [App(open_store(), namespace=namespace, plugins=[Concurrency(2)]) for _ in range(2)]
    apps[0].queue("send").enqueue_many([Job() for _ in range(20)])
    workers = [Worker(app, concurrency=8) for app in apps]
    for worker in workers:
        worker.register("send", handler)
        worker.start()
    wait_until(lambda: ran == 20, "all jobs")
    for worker in workers:
        worker.stop()
    assert peak == 2


def test_async_handlers_keep_the_limit(backend: Backend, namespace: str) -> None:
    """On every store, however many the event loop could run."""
    running: set[int] = set()
    peaks: list[int] = []
    with App(backend, namespace=namespace, plugins=[Concurrency(3)]) as app:

        @app.task(concurrency=50)
        async def send(number: int) -> None:
            running.add(number)
            peaks.append(len(running))
            await asyncio.sleep(0)
            running.discard(number)

        send.enqueue_many([(number,) for number in range(30)])
        wait_until(lambda: Worker(app).drain() == 0 and len(peaks) == 30, "all jobs")
    assert max(peaks) <= 3


def test_a_place_given_back_while_it_is_renewed_stays_given_back() -> None:
    """Else it would be nobody's until it lapses."""
    store = MemoryBackend()
    door = gate.Gate(store, "test", "send", 1)
    place = door.take(60.0, 60.0)
    assert place is not None
    door.release(place)
    door.renew(place, 60.0)
    assert places(store) == 0
