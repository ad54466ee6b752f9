"""The basic life of a job on the moto server."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.sqs.conftest import moto_url
from work_core.job import Job, QueueName, utc_now
from work_sqs.plugin import work_open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "mails")


@pytest.fixture
def backend(sqs_endpoint: str) -> Iterator[SQSBackend]:
    """A backend on the moto server with queues of its own."""
    opened = work_open_backend(moto_url(sqs_endpoint))
    assert opened is not None
    with opened:
        yield opened


def test_a_job_is_delivered_and_acked(backend: SQSBackend) -> None:
    """What was enqueued is delivered once, as it was, and is gone after the ack."""
    job = Job(b"hello", id="straße 1")
    backend.enqueue(QUEUE, [job])

    [leased] = backend.dequeue(QUEUE, 10, at=utc_now(), lease=30)
    assert (leased.id, leased.payload, leased.deliveries) == ("straße 1", b"hello", 1)
    assert leased.enqueued_at == job.enqueued_at
    assert backend.ack(QUEUE, [leased]) == []
    assert backend.ack(QUEUE, [leased]) == []
    assert backend.metrics(QUEUE, at=utc_now())[:2] == (0, 0)


def test_a_rescheduled_job_is_one_message_with_its_error(backend: SQSBackend) -> None:
    """Reschedule keeps retries and error, counts deliveries anew, and leaves one message."""
    backend.enqueue(QUEUE, [Job()])
    [leased] = backend.dequeue(QUEUE, 1, at=utc_now(), lease=30, wait=1)
    leased.retries, leased.last_error, leased.enqueued_at = 1, "boom", utc_now()
    assert backend.reschedule(QUEUE, [leased]) == []

    [again] = backend.dequeue(QUEUE, 10, at=utc_now(), lease=30, wait=1)
    assert (again.retries, again.last_error, again.deliveries) == (1, "boom", 1)
    assert backend.metrics(QUEUE, at=utc_now())[:2] == (0, 1)
    assert backend.reschedule(QUEUE, [leased]) == [leased]


def test_a_lease_is_extended_and_given_back(backend: SQSBackend) -> None:
    """Extend moves the end of the lease; extending to now gives the job back at once."""
    backend.enqueue(QUEUE, [Job()])
    [leased] = backend.dequeue(QUEUE, 1, at=utc_now(), lease=30, wait=1)
    until = utc_now() + timedelta(seconds=60)
    assert backend.extend(QUEUE, [leased], until=until) == []
    assert leased.lease is not None
    assert leased.lease.until == until
    assert backend.extend(QUEUE, [leased], until=utc_now()) == []
    [again] = backend.dequeue(QUEUE, 1, at=utc_now(), lease=30, wait=5)
    assert again.deliveries == 2
