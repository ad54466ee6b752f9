"""Giving up on jobs that fail, or take their worker down, too often."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import fail, handled, succeed
from tests.servers.process import wait_until

from work_core.app import App
from work_core.errors import Discard, LeaveLeased, Snooze
from work_core.job import Job, utc_now
from work_core.worker import Worker
from work_middleware.max_retries import MaxRetries

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.job import QueueName


def test_a_failure_below_the_limit_is_passed_on() -> None:
    """A job with retries left fails as it did."""
    with pytest.raises(ValueError, match="no reason"):
        handled(fail, MaxRetries(1))(Job())


def test_the_failure_at_the_limit_discards_the_job() -> None:
    """A job that fails with all retries spent is discarded, and the error is kept as the cause."""
    with pytest.raises(Discard) as caught:
        handled(fail, MaxRetries(1))(Job(retries=1))
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_success_at_the_limit_is_a_success() -> None:
    """The last allowed run may succeed."""
    assert handled(succeed, MaxRetries(1))(Job(id="a", retries=1)) == "did a"


@pytest.mark.parametrize("signal", [Snooze(5), LeaveLeased(), Discard("by itself")])
def test_signals_are_no_failures(signal: Exception) -> None:
    """A handler that chooses its outcome gets it, however often it failed before."""

    def handler(_: Job) -> None:
        raise signal

    with pytest.raises(type(signal)) as caught:
        handled(handler, MaxRetries(0))(Job(retries=9))
    assert caught.value is signal


def test_a_handler_that_exits_has_failed() -> None:
    """``sys.exit`` spends a retry like any error, so that it cannot go on for ever."""

    def handler(_: Job) -> None:
        raise SystemExit(1)

    with pytest.raises(Discard):
        handled(handler, MaxRetries(0))(Job())


def test_a_job_whose_holders_vanish_is_discarded_without_another_run() -> None:
    """Deliveries without an outcome count as failures."""
    ran: list[Job] = []
    run = handled(ran.append, MaxRetries(2))
    run(Job(deliveries=3))
    with pytest.raises(Discard, match="delivered 4 times"):
        run(Job(deliveries=4))
    assert len(ran) == 1


def test_crashes_and_failures_add_up() -> None:
    """A job may fail and take its worker down, but not more often than the limit in all."""
    with pytest.raises(Discard):
        handled(succeed, MaxRetries(3))(Job(retries=2, deliveries=3))


def test_crashes_have_a_limit_of_their_own() -> None:
    """With ``crashes`` a job that kills workers goes before one that fails does."""
    with pytest.raises(Discard):
        handled(succeed, MaxRetries(25, crashes=1))(Job(deliveries=3))


def test_a_job_runs_once_and_its_retries(backend: Backend, namespace: str) -> None:
    """With a limit of 2 a job that always fails runs 3 times and is gone."""
    ran = []
    with App(backend, namespace=namespace, plugins=[MaxRetries(2)]) as app:

        @app.task(backoff=lambda _retries, _error: 0.0)
        def send() -> None:
            ran.append(1)
            raise ValueError("no reason")

        send.enqueue()
        wait_until(lambda: Worker(app).drain() == 0 and len(ran) >= 3, "the last run")
    assert len(ran) == 3


def test_a_job_that_kills_its_workers_ends(backend: Backend, queue: QueueName) -> None:
    """Each lease that ended without an outcome counts, on every store."""
    start = utc_now() - timedelta(hours=1)
    job = Job(created_at=start)
    backend.enqueue(queue, [job])
    for crash in range(3):
        backend.dequeue(queue, 1, at=start + timedelta(minutes=crash), lease=1.0)
    with App(backend, namespace=queue.namespace, plugins=[MaxRetries(2)]) as app:
        ran: list[Job] = []
        worker = Worker(app)
        worker.register(queue.queue_id, lambda job, _: ran.append(job))
        worker.drain()
    assert ran == []
    assert backend.dequeue(queue, 1, at=utc_now() + timedelta(days=1), lease=1.0) == []
