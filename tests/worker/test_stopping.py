"""How a worker stops: nothing is lost, and nothing that finished is done twice."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.worker.conftest import eventually, working

from work_core import App, Worker, hookimpl
from work_core.job import QueueName, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from work_core import HandleContext, Job
    from work_core.memory import MemoryBackend


@contextmanager
def stopping_once(started: threading.Event, app: App, release: threading.Event) -> Iterator[None]:
    """Have a worker of *app* in the middle of its stop, begun when *started*, until *release*."""
    worker = Worker(app)
    worker.start()
    started.wait(20)
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    try:
        yield
    finally:
        release.set()
        stopper.join(20)


def test_running_jobs_get_the_grace_period(app: App, backend: MemoryBackend) -> None:
    """A stop waits for what runs, and acks it."""
    started, release = threading.Event(), threading.Event()

    @app.task
    def work() -> None:
        started.set()
        release.wait(20)

    worker = Worker(app)
    worker.start()
    work.enqueue()
    started.wait(20)
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    release.set()
    stopper.join(20)

    assert backend.queues("test") == []


def test_jobs_that_were_not_started_go_back_at_once(app: App, backend: MemoryBackend) -> None:
    """What waits in the buffer at a stop is due for others at once, as if never delivered."""
    started, release = threading.Event(), threading.Event()
    queue = QueueName("test", "work")

    @app.task(concurrency=1)
    def work(number: int) -> None:
        if number == 60:
            started.set()
            release.wait(20)

    work.enqueue_many([(number,) for number in range(100)])
    with stopping_once(started, app, release):
        eventually(lambda: backend.metrics(queue, at=utc_now()).ready == 39)

    jobs = backend.dequeue(queue, 100, at=utc_now(), lease=10)
    assert [job.deliveries for job in jobs] == [1] * 39


def test_a_job_that_outlives_the_grace_period_is_given_back(
    app: App, backend: MemoryBackend
) -> None:
    """Its late end is neither acked nor retried by this worker."""
    started, release, ended = threading.Event(), threading.Event(), threading.Event()
    queue = QueueName("test", "work")

    @app.task
    def work() -> None:
        started.set()
        release.wait(20)
        ended.set()

    work.enqueue()
    worker = Worker(app, grace=0.05)
    worker.start()
    started.wait(20)
    worker.stop()

    (job,) = backend.dequeue(queue, 1, at=utc_now(), lease=10)
    release.set()
    ended.wait(20)
    assert backend.ack(queue, [job]) == []
    assert backend.queues("test") == []


def test_async_jobs_that_outlive_the_grace_period_are_cancelled_and_given_back(
    app: App, backend: MemoryBackend
) -> None:
    """Two hundred coroutines at a stop: each is due again, none is counted as failed."""
    running: list[int] = []
    queue = QueueName("test", "work")

    @app.task(concurrency=200)
    async def work() -> None:
        running.append(1)
        await asyncio.sleep(60)

    work.enqueue_many([()] * 200)
    worker = Worker(app, grace=0.05)
    worker.start()
    eventually(lambda: len(running) == 200)
    worker.stop()

    jobs = backend.dequeue(queue, 500, at=utc_now(), lease=10)
    assert len(jobs) == 200
    assert {job.retries for job in jobs} == {0}


def test_stopping_tells_plugins_which_jobs_were_returned(backend: MemoryBackend) -> None:
    """A plug-in that counts fetched jobs hears about those that will not be handled."""
    returned: list[str] = []
    started, release = threading.Event(), threading.Event()

    class Counter:
        @hookimpl
        def work_jobs_returned(self, jobs: list[Job]) -> None:
            returned.extend(job.id for job in jobs)

    app = App(backend, namespace="test", plugins=[Counter()])

    @app.task(concurrency=1)
    def work(number: int) -> None:
        if number == 20:
            started.set()
            release.wait(20)

    work.enqueue_many([(number,) for number in range(30)])
    with stopping_once(started, app, release):
        eventually(lambda: len(returned) == 9)


def test_work_that_lost_its_lease_is_not_acked(
    app: App, backend: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """When somebody else has the lease, the end of this run changes nothing and is told."""
    queue = QueueName("test", "work")
    started, release = threading.Event(), threading.Event()

    @app.task(lease=5)
    def work() -> None:
        started.set()
        release.wait(20)

    work.enqueue()
    with working(app):
        started.wait(20)
        later = utc_now() + timedelta(seconds=6)
        (stolen,) = backend.dequeue(queue, 1, at=later, lease=60)
        release.set()

        def told() -> bool:
            backend.wake()  # the answer to an ack may come with the end of a fetch that waits
            return "lost its lease" in caplog.text

        eventually(told)

    assert stolen.deliveries == 2
    assert backend.ack(queue, [stolen]) == []
    assert backend.queues("test") == []


def test_a_handler_that_was_told_of_a_lost_lease_cannot_ack(backend: MemoryBackend) -> None:
    """A plug-in that finds the lease gone sets lease_lost; nothing is sent to the store then."""

    class Thief:
        @hookimpl(wrapper=True)
        def work_handle(self, context: HandleContext):  # type: ignore[no-untyped-def] # noqa: ANN202
            context.lease_lost = True
            return (yield)

    app = App(backend, namespace="test", plugins=[Thief()])

    @app.task
    def work() -> None: ...

    work.enqueue()
    Worker(app).drain()

    assert backend.queues("test") == [QueueName("test", "work")]


def test_a_worker_can_start_again_after_a_stop(app: App) -> None:
    """Stop leaves nothing behind that a new start would trip over."""
    ran: list[int] = []

    @app.task
    def work() -> None:
        ran.append(1)

    @app.task
    async def work_async() -> None:
        ran.append(1)

    worker = Worker(app)
    for times in (1, 2):
        work.enqueue()
        work_async.enqueue()
        worker.start()
        eventually(lambda times=times: len(ran) == 2 * times)  # type: ignore[misc]
        worker.stop()
