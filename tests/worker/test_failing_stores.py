"""How a worker bears a store that goes away, refuses a job, or is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.worker.conftest import eventually, working

from work_core import App, Worker
from work_core.errors import BackendUnavailable, PayloadTooLarge, WorkError
from work_core.job import QueueName
from work_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from work_core import Job
    from work_core.backend import Exchange


class Flaky(MemoryBackend):
    """A store that is away for its first fetches."""

    failures = 3

    def exchange(
        self,
        queue: QueueName,
        done: Sequence[Job],
        limit: int,
        *,
        at: datetime,
        lease: float,
        wait: float = 0.0,
    ) -> Exchange:
        """Fail a few times, with the acks of the call not taken."""
        if self.failures:
            self.failures -= 1
            raise BackendUnavailable("connection refused")
        return super().exchange(queue, done, limit, at=at, lease=lease, wait=wait)


def test_a_store_that_goes_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """Consuming resumes by itself, and the log tells both."""
    app = App(Flaky(), namespace="test", plugins=[])
    ran: list[int] = []

    @app.task
    def work() -> None:
        ran.append(1)

    work.enqueue()
    with working(app):
        eventually(lambda: ran == [1])

    assert "cannot fetch from queue test/work: connection refused; trying again" in caplog.text
    assert "fetching from queue test/work again" in caplog.text


def test_acks_survive_a_store_that_goes_away() -> None:
    """What could not be acked is acked when the store is back, not run again."""
    store = Flaky()
    store.failures = 0
    app = App(store, namespace="test", plugins=[])
    ran: list[int] = []

    @app.task(concurrency=1)
    def work() -> None:
        ran.append(1)
        store.failures = 2

    work.enqueue()
    with working(app):
        eventually(lambda: store.queues("test") == [])

    assert ran == [1]


def test_a_closed_backend_does_not_hang_the_drain(app: App, backend: MemoryBackend) -> None:
    """Draining a store that is closed ends with the error."""

    @app.task
    def work() -> None: ...

    work.enqueue()
    backend.close()
    with pytest.raises(WorkError, match="had to stop"):
        Worker(app).drain()


class Picky(MemoryBackend):
    """A store that refuses jobs whose last error is long, as one with a size limit does."""

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Refuse the whole call for one job that is too large."""
        if any(len(job.last_error) > 1000 for job in jobs):
            raise PayloadTooLarge("a job of 1 MiB is too large")
        return super().reschedule(queue, jobs)


def test_a_job_that_the_store_refuses_to_take_back_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One failed job that has become too large is left to its lease; its neighbours go on."""
    store = Picky()
    app = App(store, namespace="test", plugins=[])

    @app.task
    def fail(size: int) -> None:
        raise ValueError("x" * size)

    fail.enqueue_many([(10,), (2000,), (10,)])

    assert Worker(app, concurrency=1).drain() == 3
    assert sorted(job.retries for job in store.jobs(QueueName("test", "fail")).jobs) == [0, 1, 1]
    assert "cannot be rescheduled and returns when its lease ends" in caplog.text
