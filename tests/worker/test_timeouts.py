"""How a handler that overruns its timeout is ended."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from work_core import App, Worker
from work_core.job import QueueName

if TYPE_CHECKING:
    from work_core.memory import MemoryBackend


def test_a_job_that_overruns_its_timeout_is_ended(app: App, backend: MemoryBackend) -> None:
    """A sync handler gets the exception in its thread; the job is retried."""

    @app.task(timeout=0.05)
    def hang() -> None:
        while True:
            time.sleep(0.001)

    hang.enqueue()
    Worker(app).drain()

    (job,) = backend.jobs(QueueName("test", "hang")).jobs
    assert job.last_error == f"JobTimeout: job {job.id} ran longer than 0.05 s"


def test_an_async_job_that_overruns_its_timeout_is_cancelled(
    app: App, backend: MemoryBackend
) -> None:
    """An async handler is cancelled; the job is retried."""
    cancelled: list[bool] = []

    @app.task(timeout=0.05)
    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    hang.enqueue()
    Worker(app).drain()

    (job,) = backend.jobs(QueueName("test", "hang")).jobs
    assert cancelled == [True]
    assert job.last_error == f"JobTimeout: job {job.id} ran longer than 0.05 s"


def test_a_handlers_own_timeout_error_is_not_taken_for_the_jobs(
    app: App, backend: MemoryBackend
) -> None:
    """A TimeoutError of a driver inside the handler keeps its name."""

    @app.task(timeout=30)
    async def connect() -> None:
        raise TimeoutError("the mail server is slow")

    connect.enqueue()
    Worker(app).drain()

    (job,) = backend.jobs(QueueName("test", "connect")).jobs
    assert job.last_error == "TimeoutError: the mail server is slow"


def test_jobs_within_their_timeout_are_left_alone(app: App, backend: MemoryBackend) -> None:
    """Many short guarded runs on several threads never meet a late exception."""

    @app.task(timeout=0.02, concurrency=4)
    def quick(number: int) -> None:
        if number % 50 == 0:
            time.sleep(0.019)

    quick.enqueue_many([(number,) for number in range(500)])
    ran = Worker(app).drain()

    late = backend.jobs(QueueName("test", "quick")).jobs
    assert ran == 500
    assert all(job.last_error.startswith("JobTimeout") for job in late)


def test_a_short_timeout_is_kept_while_a_long_one_is_awaited(
    app: App, backend: MemoryBackend
) -> None:
    """The thread that watches is woken for a run that times out before those it knows."""
    release = threading.Event()

    @app.task(timeout=60)
    def patient() -> None:
        hang.enqueue()
        release.wait(20)

    @app.task(timeout=0.05)
    def hang() -> None:
        try:
            while not release.is_set():
                time.sleep(0.001)
        finally:
            release.set()

    patient.enqueue()
    Worker(app).drain()

    (job,) = backend.jobs(QueueName("test", "hang")).jobs
    assert job.last_error == f"JobTimeout: job {job.id} ran longer than 0.05 s"
