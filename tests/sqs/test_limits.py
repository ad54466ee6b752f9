"""Sizes and characters."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from work_core.codec import encode_job
from work_core.errors import PayloadTooLarge
from work_core.job import Job, QueueName, utc_now
from work_sqs.limits import BATCH_BYTES

if TYPE_CHECKING:
    from tests.sqs.service import Service
    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "mails")


def job_of(body_bytes: int) -> Job:
    """Return a job whose message body has just so many bytes."""
    job = Job(bytes(100_000))
    size = body_bytes // 4 * 3
    job.payload = bytes(100_000 + size - len(encode_job(job)))
    assert len(b64encode(encode_job(job))) == body_bytes
    return job


def test_a_message_of_one_mebibyte_fits(backend: SQSBackend) -> None:
    """The largest message that SQS takes is carried, and comes back."""
    job = job_of(BATCH_BYTES)
    backend.enqueue(QUEUE, [job])
    [leased] = backend.dequeue(QUEUE, 1, at=utc_now(), lease=60)
    assert leased.payload == job.payload


def test_one_byte_more_is_refused_before_anything_is_sent(
    backend: SQSBackend, service: Service
) -> None:
    """The error names both sizes and what to do, and no job of the call is stored."""
    job = job_of(BATCH_BYTES)
    job.payload += b"x"
    with pytest.raises(PayloadTooLarge) as raised:
        backend.enqueue(QUEUE, [Job(), job])
    assert "1,048,580 bytes" in str(raised.value)
    assert "takes 1,048,576: 4 too many" in str(raised.value)
    assert service.requests["SendMessageBatch"] == 0


def test_the_queues_own_limit_is_kept(backend: SQSBackend, service: Service) -> None:
    """A queue with a lower MaximumMessageSize is asked once and believed."""
    service.create("shop-mails", MaximumMessageSize="1024")
    backend.enqueue(QUEUE, [Job(b"small")])
    with pytest.raises(PayloadTooLarge, match="takes 1,024"):
        backend.enqueue(QUEUE, [Job(bytes(2000))])


def test_batches_are_packed_by_bytes(backend: SQSBackend, service: Service) -> None:
    """Jobs that are too large to travel ten at a time travel in more requests."""
    backend.enqueue(QUEUE, [job_of(300_000) for _ in range(7)])
    assert service.requests["SendMessageBatch"] == 3
    assert len(backend.dequeue(QUEUE, 10, at=utc_now(), lease=60)) == 7


def test_any_bytes_are_carried(backend: SQSBackend) -> None:
    """Characters that SQS refuses in a body never reach it: the record goes in base64."""
    job = Job(bytes(range(256)), id="\0\x1b\ufffe\uffff")
    backend.enqueue(QUEUE, [job])
    [leased] = backend.dequeue(QUEUE, 1, at=utc_now(), lease=60)
    assert (leased.id, leased.payload) == (job.id, job.payload)


def test_a_body_is_the_record_of_every_other_store(backend: SQSBackend, service: Service) -> None:
    """What SQS holds is the record, byte for byte, in base64."""
    job = Job(b"payload")
    backend.enqueue(QUEUE, [job])
    [message] = service.messages()
    assert message.body == b64encode(encode_job(job)).decode()


def test_a_body_that_is_no_job_goes_to_a_queue_of_its_own(
    backend: SQSBackend, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator finds the undecodable message in ``{name}-invalid``, whole."""
    backend.enqueue(QUEUE, [Job(id="a")])
    service.messages()[0].body = "no job"
    reports: list[object] = []
    monkeypatch.setattr(backend, "report_invalid", lambda *report: reports.append(report))
    backend.enqueue(QUEUE, [Job(id="b")])
    [good] = backend.dequeue(QUEUE, 10, at=utc_now(), lease=60)
    assert good.id == "b"
    assert len(reports) == 1
    assert [message.body for message in service.messages("shop-mails-invalid")] == ["no job"]


def test_a_body_that_is_no_job_is_hidden_where_no_queue_can_be_made(
    backend: SQSBackend, service: Service
) -> None:
    """Without the right to make that queue the message stays, and is hidden for 12 hours."""
    backend.enqueue(QUEUE, [Job()])
    service.messages()[0].body = "no job"
    service.denied.add("CreateQueue")
    assert backend.dequeue(QUEUE, 10, at=utc_now(), lease=60) == []
    service.clock.advance(11 * 3600)
    assert backend.dequeue(QUEUE, 10, at=utc_now(), lease=60) == []
    assert [message.body for message in service.messages()] == ["no job"]
