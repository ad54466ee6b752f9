"""FIFO queues: order, one delivery, and what they cannot do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from work_core.errors import BackendError
from work_core.job import Job, QueueName

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sqs.service import Service
    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "orders.fifo")


def lease(backend: SQSBackend, service: Service, limit: int = 10) -> list[Job]:
    """Lease what is due."""
    return backend.dequeue(QUEUE, limit, at=service.clock.now(), lease=60)


def test_jobs_keep_their_order_and_their_group_waits(backend: SQSBackend, service: Service) -> None:
    """Jobs come in the order of their enqueues, and none while an earlier one is leased."""
    backend.enqueue(QUEUE, [Job(id=name) for name in "cab"])
    [first] = lease(backend, service, 1)
    assert first.id == "c"
    assert lease(backend, service) == []
    assert backend.ack(QUEUE, [first]) == []
    assert [job.id for job in lease(backend, service)] == ["a", "b"]


def test_groups_by_job_run_side_by_side(
    open_backend: Callable[..., SQSBackend], service: Service
) -> None:
    """With group=job every job is its own group: no order, and nobody waits."""
    backend = open_backend("create=1&group=job")
    backend.enqueue(QUEUE, [Job(id=name) for name in "ab"])
    assert len(lease(backend, service, 1)) == 1
    assert len(lease(backend, service, 1)) == 1


def test_an_enqueue_that_is_repeated_is_one_job(backend: SQSBackend, service: Service) -> None:
    """The same job sent twice within five minutes is stored once."""
    job = Job()
    backend.enqueue(QUEUE, [job])
    backend.enqueue(QUEUE, [job])
    assert len(service.messages()) == 1


def test_a_retry_stays_in_its_place(backend: SQSBackend, service: Service) -> None:
    """A retry hides the message, so that it keeps its place; its number is the receive count's."""
    backend.enqueue(QUEUE, [Job(id="a"), Job(id="b")])
    [job] = lease(backend, service, 1)
    job.retries, job.enqueued_at = 1, service.clock.now() + timedelta(seconds=30)
    assert backend.reschedule(QUEUE, [job]) == []
    assert lease(backend, service) == []
    service.clock.advance(31)
    assert [(job.id, job.retries) for job in lease(backend, service)] == [("a", 1), ("b", 0)]


def test_a_job_due_later_is_refused(backend: SQSBackend, service: Service) -> None:
    """A FIFO queue cannot delay one message: the error says so, and nothing is stored."""
    later = service.clock.now() + timedelta(minutes=1)
    with pytest.raises(BackendError, match="cannot delay a single message"):
        backend.enqueue(QUEUE, [Job(), Job(enqueued_at=later)])
    assert service.messages() == []
