"""How a worker runs jobs: concurrency, fairness, order, and rounds that are skipped."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.worker.conftest import eventually, working

from work_core import App, ConfigError, PluginError, Worker, hookimpl
from work_core.job import QueueName

if TYPE_CHECKING:
    from work_core import DequeueRequest
    from work_core.memory import MemoryBackend


def test_sync_handlers_run_on_as_many_threads_as_asked(app: App) -> None:
    """Eight handlers that wait for each other all get to run at once."""
    meeting = threading.Barrier(8, timeout=20)
    done: list[int] = []

    @app.task(concurrency=8)
    def meet() -> None:
        done.append(meeting.wait())

    meet.enqueue_many([()] * 8)
    with working(app):
        eventually(lambda: len(done) == 8)


def test_concurrency_is_never_exceeded(app: App) -> None:
    """At most as many handlers run at once as the task allows."""
    running: list[int] = []
    most: list[int] = []

    @app.task(concurrency=3)
    def work() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.002)
        running.pop()

    work.enqueue_many([()] * 100)
    assert Worker(app).drain() == 100
    assert max(most) <= 3


def test_thousands_of_async_handlers_run_at_once(app: App) -> None:
    """Two thousand coroutines that wait for the last of them are all in flight together."""
    arrived: list[int] = []
    everybody = asyncio.Event()

    @app.task(concurrency=2000)
    async def meet() -> None:
        arrived.append(1)
        if len(arrived) == 2000:
            everybody.set()
        await everybody.wait()

    meet.enqueue_many([()] * 2000)

    assert Worker(app).drain() == 2000


def test_async_concurrency_is_never_exceeded(app: App) -> None:
    """At most as many coroutines are in flight as the task allows."""
    running: list[int] = []
    most: list[int] = []

    @app.task(concurrency=7)
    async def work() -> None:
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0.001)
        running.pop()

    work.enqueue_many([()] * 200)
    assert Worker(app).drain() == 200
    assert max(most) <= 7


def test_a_queue_may_have_sync_and_async_tasks(app: App) -> None:
    """A sync task on a queue of async ones runs on a thread, off the event loop."""
    where: dict[str, str] = {}

    @app.task(queue="both")
    def blocking() -> None:
        where["blocking"] = threading.current_thread().name

    @app.task(queue="both")
    async def waiting() -> None:
        where["waiting"] = threading.current_thread().name

    blocking.enqueue()
    waiting.enqueue()
    Worker(app).drain()

    assert where["waiting"] == "work-loop"
    assert where["blocking"] != "work-loop"


def test_a_slow_queue_does_not_block_a_fast_one(app: App) -> None:
    """Each queue has its own threads."""
    release = threading.Event()
    fast_ran: list[int] = []

    @app.task(concurrency=2)
    def slow() -> None:
        release.wait(20)

    @app.task
    def fast() -> None:
        fast_ran.append(1)

    slow.enqueue_many([()] * 10)
    with working(app):
        fast.enqueue_many([()] * 50)
        eventually(lambda: len(fast_ran) == 50)
        release.set()


def test_fifty_queues_are_all_served(app: App) -> None:
    """One worker serves many queues without starving any."""
    seen: set[str] = set()

    for number in range(50):

        def handle(number: int = number) -> None:
            seen.add(f"queue-{number}")

        app.task(name=f"queue-{number}")(handle).enqueue()

    with working(app):
        eventually(lambda: len(seen) == 50)


def test_a_stuck_worker_does_not_keep_prefetched_jobs_from_others(
    app: App, backend: MemoryBackend
) -> None:
    """What a worker prefetched while handlers were short goes back when one takes long."""
    release = threading.Event()
    ran: list[int] = []

    @app.task(concurrency=1)
    def work(number: int) -> None:
        ran.append(number)
        if number == 500:
            release.wait(20)

    work.enqueue_many([(number,) for number in range(2000)])
    with working(app):
        eventually(lambda: 500 in ran)
        with working(App_of(app, backend, ran)):
            eventually(lambda: len(set(ran)) == 2000)
        release.set()


def App_of(app: App, backend: MemoryBackend, ran: list[int]) -> App:  # noqa: N802 - reads as a noun
    """Return a second process's app, as far as the store can tell."""
    other = App(backend, namespace=app.namespace, plugins=[])

    @other.task(concurrency=1)
    def work(number: int) -> None:
        ran.append(number)

    return other


def test_what_is_done_is_acked_while_the_worker_is_idle(app: App, backend: MemoryBackend) -> None:
    """Acks ride on the next fetch, but never wait for the next job."""

    @app.task
    def quick() -> None: ...

    @app.task
    async def quick_async() -> None: ...

    with working(app):
        quick.enqueue()
        quick_async.enqueue()
        eventually(lambda: backend.queues("test") == [])


def test_a_middleware_may_skip_rounds(backend: MemoryBackend) -> None:
    """A limit of 0 fetches nothing this time; the worker comes again."""
    rounds: list[int] = []
    ran: list[int] = []

    class EveryThird:
        @hookimpl(wrapper=True)
        def work_dequeue(self, request: DequeueRequest):  # type: ignore[no-untyped-def] # noqa: ANN202
            rounds.append(request.limit)
            if len(rounds) % 3:
                request.limit = 0
            return (yield)

    app = App(backend, namespace="test", plugins=[EveryThird()])

    @app.task
    def work() -> None:
        ran.append(1)

    work.enqueue()
    with working(app):
        eventually(lambda: ran == [1])

    assert len(rounds) >= 3


def test_a_plugin_can_refuse_the_start(backend: MemoryBackend) -> None:
    """What cannot work is said before the first job, not at it."""

    class Picky:
        @hookimpl
        def work_worker_started(self) -> None:
            raise PluginError("picky needs semaphores")

    app = App(backend, namespace="test", plugins=[Picky()])

    @app.task
    def work() -> None:
        raise AssertionError

    work.enqueue()
    with pytest.raises(PluginError, match="picky needs semaphores"):
        Worker(app).start()


def test_run_once_runs_one_job(app: App, backend: MemoryBackend) -> None:
    """run_once suits a pod that is started for a single job."""

    @app.task
    def work() -> None: ...

    @app.task
    async def work_async() -> None: ...

    work.enqueue_many([(), ()])
    work_async.enqueue()

    assert [Worker(app).run_once() for _ in range(4)] == [True, True, True, False]
    assert backend.queues("test") == []


def test_drain_leaves_what_is_due_later(app: App, backend: MemoryBackend) -> None:
    """Draining ends when nothing is due."""

    @app.task
    def work() -> None: ...

    work.enqueue()
    work.options(delay=3600).enqueue()

    assert Worker(app).drain() == 1
    assert len(backend.jobs(QueueName("test", "work")).jobs) == 1


def test_drain_runs_what_jobs_enqueue_elsewhere(app: App) -> None:
    """A job may enqueue into a queue that was empty already."""
    ran: list[str] = []

    @app.task
    def first() -> None:
        time.sleep(0.02)
        second.enqueue()

    @app.task
    def second() -> None:
        ran.append("second")

    first.enqueue()

    assert Worker(app).drain() == 2
    assert ran == ["second"]


def test_a_worker_without_tasks_says_so(app: App) -> None:
    """A forgotten import is told at start."""
    with pytest.raises(ConfigError, match="the app has no tasks"):
        Worker(app).start()


def test_an_unknown_queue_is_refused_by_name(app: App) -> None:
    """A typo in --queue is told with what there is."""

    @app.task
    def mail() -> None: ...

    with pytest.raises(ConfigError, match="no task uses queue 'male'; known: mail"):
        Worker(app, queues=["male"])


def test_a_strict_worker_serves_queues_in_order(app: App) -> None:
    """A lesser queue gets its turn only when those before it have nothing left."""
    order: list[str] = []

    @app.task
    def low() -> None:
        order.append("low")

    @app.task
    def high() -> None:
        order.append("high")

    low.enqueue_many([()] * 50)
    high.enqueue_many([()] * 200)
    worker = Worker(app, queues=["high", "low"], concurrency=1, strict=True)

    assert worker.drain() == 250
    assert order == ["high"] * 200 + ["low"] * 50


def test_a_strict_worker_serves_the_last_queue_while_the_first_is_idle(app: App) -> None:
    """An idle queue of high rank holds nobody up."""
    ran: list[int] = []

    @app.task
    def high() -> None: ...

    @app.task
    def low() -> None:
        ran.append(1)

    with working(app, queues=["high", "low"], strict=True):
        low.enqueue()
        eventually(lambda: ran == [1], timeout=4)


def test_a_wrapper_that_loses_the_jobs_is_told_so(
    backend: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A dequeue wrapper that forgets to return what came out of its yield is named in the log."""

    class Forgetful:
        @hookimpl(wrapper=True)
        def work_dequeue(self):  # type: ignore[no-untyped-def] # noqa: ANN202
            yield

    app = App(backend, namespace="test", plugins=[Forgetful()])

    @app.task
    def work() -> None: ...

    with working(app):
        eventually(lambda: "end it with: return (yield)" in caplog.text)


def test_drain_waits_for_a_job_that_is_retried_at_once(app: App) -> None:
    """A retry without delay is due before the drain is over, however the threads interleave."""
    ran: list[int] = []

    @app.task(backoff=lambda retries, error: 0.0, concurrency=4)
    def fail_twice() -> None:
        ran.append(1)
        if len(ran) <= 40:
            raise ValueError

    fail_twice.enqueue_many([()] * 20)

    assert Worker(app).drain() == 60
