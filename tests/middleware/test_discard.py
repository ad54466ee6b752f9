"""Giving up on jobs that are too old, and on jobs that no retry can mend."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import fail, handled, succeed

from work_core.app import App
from work_core.codec import decode_payload
from work_core.errors import Discard, InvalidPayload, LeaveLeased, Snooze
from work_core.job import Job, utc_now
from work_core.worker import Worker
from work_middleware.discard_after import DiscardAfter
from work_middleware.discard_invalid_payload import DiscardInvalidPayload

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.job import QueueName


def old_job() -> Job:
    """Return a job that was created an hour ago."""
    return Job(id="a", created_at=utc_now() - timedelta(hours=1))


def test_a_young_job_that_fails_is_retried() -> None:
    """Its failure is passed on."""
    with pytest.raises(ValueError, match="no reason"):
        handled(fail, DiscardAfter(60))(Job())


def test_an_old_job_that_fails_is_discarded() -> None:
    """It had its chance, and the error is kept as the cause."""
    with pytest.raises(Discard) as caught:
        handled(fail, DiscardAfter(60))(old_job())
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_old_job_gets_its_run() -> None:
    """A job that waited long may still succeed, as in Go."""
    assert handled(succeed, DiscardAfter(60))(old_job()) == "did a"


def test_a_stale_job_can_be_skipped() -> None:
    """With ``skip_stale`` its handler does not run."""
    ran: list[Job] = []
    with pytest.raises(Discard):
        handled(ran.append, DiscardAfter(60, skip_stale=True))(old_job())
    assert ran == []


def test_an_old_job_cannot_snooze_for_ever() -> None:
    """Putting it off counts as not having succeeded."""

    def handler(_: Job) -> None:
        raise Snooze(5)

    with pytest.raises(Discard):
        handled(handler, DiscardAfter(60))(old_job())


def test_an_old_job_may_be_left_leased() -> None:
    """Somebody else will settle it."""

    def handler(_: Job) -> None:
        raise LeaveLeased

    with pytest.raises(LeaveLeased):
        handled(handler, DiscardAfter(60))(old_job())


def test_an_old_job_is_gone_after_its_failure(backend: Backend, queue: QueueName) -> None:
    """The worker acks what is discarded; the young one stays."""
    backend.enqueue(queue, [old_job(), Job(id="young")])
    with App(backend, namespace=queue.namespace, plugins=[DiscardAfter(60)]) as app:
        worker = Worker(app)
        worker.register(queue.queue_id, lambda job, _: fail(job))
        worker.drain()
    later = backend.dequeue(queue, 9, at=utc_now() + timedelta(days=1), lease=1.0)
    assert [job.id for job in later] == ["young"]


def test_bytes_that_are_no_msgpack_discard_the_job() -> None:
    """Retrying cannot mend a payload."""
    with pytest.raises(Discard, match="invalid payload"):
        handled(lambda job: decode_payload(job.payload), DiscardInvalidPayload())(Job(b"\xc1"))


def test_the_cause_may_be_wrapped() -> None:
    """An error raised from an invalid payload is one."""

    def handler(_: Job) -> None:
        raise RuntimeError("cannot send") from InvalidPayload("no map")

    with pytest.raises(Discard):
        handled(handler, DiscardInvalidPayload())(Job())


def test_other_errors_are_retried() -> None:
    """Only the payload is beyond repair."""
    with pytest.raises(ValueError, match="no reason"):
        handled(fail, DiscardInvalidPayload())(Job())


def test_a_task_whose_arguments_do_not_fit_gives_up(backend: Backend, queue: QueueName) -> None:
    """The worker's own check of a task's arguments counts, on every store."""
    backend.enqueue(queue, [Job(b"\x80")])  # a map without the argument
    with App(backend, namespace=queue.namespace, plugins=[DiscardInvalidPayload()]) as app:

        @app.task
        def send(to: str) -> None:
            raise AssertionError(to)

        assert Worker(app).drain() == 1
    assert backend.dequeue(queue, 1, at=utc_now() + timedelta(days=1), lease=1.0) == []
