"""Requests that fail, as a whole and in part."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.servers.process import wait_until
from tests.sqs.service import Fault
from work_core.errors import BackendError, BackendUnavailable, EnqueueFailed
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend as open_by_url
from work_sqs.batches import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sqs.service import Service
    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "mails")


def lease(backend: SQSBackend, limit: int = 10) -> list[Job]:
    """Return what can be leased now."""
    return backend.dequeue(QUEUE, limit, at=utc_now(), lease=60)


def test_an_entry_that_the_service_failed_is_sent_again(
    backend: SQSBackend, service: Service
) -> None:
    """SenderFault false: only that entry goes out again, and all are stored once."""
    service.faults.plan("SendMessageBatch", Fault.ENTRY_SERVICE, Fault.ENTRY_SERVICE)
    backend.enqueue(QUEUE, [Job(id=str(n)) for n in range(10)])
    assert service.requests["SendMessageBatch"] == 3
    assert sorted(job.id for job in lease(backend)) == [str(n) for n in range(10)]


def test_an_entry_that_the_sender_failed_is_reported(backend: SQSBackend, service: Service) -> None:
    """SenderFault true: no second try; the caller learns which jobs are stored and which not."""
    service.faults.plan("SendMessageBatch", Fault.ENTRY_SENDER)
    with pytest.raises(EnqueueFailed, match=r"2 of 3 jobs.*'a': injected \(InternalError\)") as it:
        backend.enqueue(QUEUE, [Job(id="a"), Job(id="b"), Job(id="c")])
    assert [job.id for job in it.value.stored] == ["b", "c"]
    assert [(job.id, reason) for job, reason in it.value.failed] == [
        ("a", "injected (InternalError)")
    ]
    assert service.requests["SendMessageBatch"] == 1
    assert sorted(job.id for job in lease(backend)) == ["b", "c"]


def test_an_entry_that_fails_for_ever_is_reported(backend: SQSBackend, service: Service) -> None:
    """After five tries the rest is reported as failed."""
    service.faults.plan("SendMessageBatch", *[Fault.ENTRY_SERVICE] * ATTEMPTS)
    with pytest.raises(EnqueueFailed) as raised:
        backend.enqueue(QUEUE, [Job(id="a"), Job(id="b")])
    assert [job.id for job in raised.value.stored] == ["b"]


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.SERVER_ERROR, Fault.UNAVAILABLE])
def test_a_request_that_failed_is_sent_again(
    backend: SQSBackend, service: Service, fault: Fault
) -> None:
    """Throttling and 5xx are tried again before anybody hears of it; the requests are counted."""
    service.faults.plan("SendMessageBatch", fault)
    backend.enqueue(QUEUE, [Job(id="a")])
    assert [job.id for job in lease(backend)] == ["a"]
    assert backend.requests["SendMessageBatch"] == 2


@pytest.mark.parametrize("operation", ["SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"])
def test_an_outage_is_unavailable(backend: SQSBackend, service: Service, operation: str) -> None:
    """A request that keeps failing is ``BackendUnavailable``, and the same call works later."""
    backend.enqueue(QUEUE, [Job(id="a"), Job(id="b")])
    [job] = lease(backend, 1)
    calls: dict[str, Callable[[], object]] = {
        "SendMessageBatch": lambda: backend.enqueue(QUEUE, [Job(id="c")]),
        "ReceiveMessage": lambda: lease(backend),
        "DeleteMessageBatch": lambda: backend.ack(QUEUE, [job]),
    }
    service.faults.plan(operation, Fault.THROTTLE, Fault.UNAVAILABLE, Fault.SERVER_ERROR)
    with pytest.raises(BackendUnavailable, match=operation.removesuffix("Batch")):
        calls[operation]()
    calls[operation]()


def test_a_lost_answer_may_duplicate_and_never_loses(backend: SQSBackend, service: Service) -> None:
    """A send that was done and not answered is sent again: the job is there, perhaps twice."""
    service.faults.plan("SendMessageBatch", Fault.LOST_ANSWER)
    backend.enqueue(QUEUE, [Job(id="a")])
    assert [job.id for job in lease(backend)] == ["a", "a"]


def test_a_message_delivered_twice_has_one_holder(backend: SQSBackend, service: Service) -> None:
    """A duplicate of what this process holds is not run again, and the ack removes it."""
    service.faults.plan("ReceiveMessage", Fault.DUPLICATE)
    backend.enqueue(QUEUE, [Job(id="a")])
    [job] = lease(backend)
    assert lease(backend) == []
    assert service.messages()[0].receive_count == 2
    assert backend.ack(QUEUE, [job]) == []
    assert service.messages() == []


def test_an_ack_that_rides_along_is_never_lost_silently(
    backend: SQSBackend, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Acks that cannot be delivered are logged and sent again by themselves."""
    backend.enqueue(QUEUE, [Job(), Job()])
    [first] = lease(backend, 1)
    service.faults.plan("DeleteMessageBatch", *[Fault.UNAVAILABLE] * 3)
    with caplog.at_level(logging.WARNING, "work.sqs"):
        backend.exchange(QUEUE, [first], 1, at=utc_now(), lease=60)
        wait_until(lambda: len(service.messages()) == 1, "the ack to arrive", 30)
    assert "1 acks of queue 'shop-mails' (shop/mails) wait to be sent again" in caplog.text


def test_acks_that_wait_are_sent_at_close(open_backend: Callable[..., SQSBackend]) -> None:
    """Closing delivers what rode along, and says so loudly when it cannot."""
    backend = open_backend()
    backend.enqueue(QUEUE, [Job(), Job()])
    [first] = lease(backend, 1)
    _, [second] = backend.exchange(QUEUE, [first], 1, at=utc_now(), lease=60)
    backend.exchange(QUEUE, [second], 1, at=utc_now(), lease=60)
    backend.close()
    assert lease(open_backend()) == []


def test_giving_up_an_ack_is_an_error_in_the_log(
    open_backend: Callable[..., SQSBackend], service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """An ack that cannot be sent before the end is named in the log: the job will run again."""
    backend = open_backend()
    backend.enqueue(QUEUE, [Job(), Job()])
    [first] = lease(backend, 1)
    service.faults.plan("DeleteMessageBatch", *[Fault.UNAVAILABLE] * 30)
    backend.exchange(QUEUE, [first], 1, at=utc_now(), lease=60)
    backend.close()
    assert "1 acks of queue 'shop-mails' (shop/mails) are lost" in caplog.text


def test_a_reschedule_that_cannot_be_sent_keeps_the_old_message(
    backend: SQSBackend, service: Service
) -> None:
    """The new message goes first, so that a failure in between never loses the job."""
    backend.enqueue(QUEUE, [Job(id="a")])
    [job] = lease(backend)
    service.faults.plan("SendMessageBatch", *[Fault.UNAVAILABLE] * 3)
    with pytest.raises(BackendUnavailable):
        backend.reschedule(QUEUE, [job])
    assert len(service.messages()) == 1
    assert backend.reschedule(QUEUE, [job]) == []
    assert [job.id for job in lease(backend)] == ["a"]


def test_wrong_credentials_are_one_clear_error(open_backend: Callable[..., SQSBackend]) -> None:
    """A key that the service does not know is named as the trouble, without the secret."""
    with pytest.raises(BackendError, match="refused the credentials for GetQueueUrl") as raised:
        open_backend(key="AKIAWRONG").enqueue(QUEUE, [Job()])
    assert not isinstance(raised.value, BackendUnavailable)
    assert "s3cret-pass" not in str(raised.value)


def test_missing_credentials_are_one_clear_error(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no key in the URL and none in boto3's chain, the error says where to put one."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with (
        open_by_url(f"sqs://eu-west-1/?endpoint_url={service.endpoint}") as backend,
        pytest.raises(BackendError, match="no usable AWS credentials"),
    ):
        backend.enqueue(QUEUE, [Job()])


def test_a_missing_queue_is_one_clear_error(
    open_backend: Callable[..., SQSBackend], service: Service
) -> None:
    """Without create=1, and in the wrong region, the error names the queue and what to do."""
    service.create("shop-mails", region="us-east-1")
    with pytest.raises(BackendError, match=r"'shop-mails' does not exist.*region.*create=1"):
        open_backend("wait=1").enqueue(QUEUE, [Job()])


def test_a_missing_right_is_one_clear_error(
    open_backend: Callable[..., SQSBackend], service: Service
) -> None:
    """With create=1 and no right to create, the error names the right."""
    service.denied.add("CreateQueue")
    with pytest.raises(BackendError, match="may not do sqs:CreateQueue on 'shop-mails'"):
        open_backend().enqueue(QUEUE, [Job()])


def test_attributes_need_not_be_readable(
    open_backend: Callable[..., SQSBackend], service: Service
) -> None:
    """Without the right to read a queue's attributes the documented limits are assumed."""
    service.denied.add("GetQueueAttributes")
    backend = open_backend()
    backend.enqueue(QUEUE, [Job(id="a")])
    assert [job.id for job in lease(backend)] == ["a"]


def test_a_deleted_queue_is_made_again(backend: SQSBackend, service: Service) -> None:
    """A queue that vanished is found or created again by the next call."""
    backend.enqueue(QUEUE, [Job()])
    service.api.queues.clear()
    with pytest.raises(BackendError, match="does not exist"):
        backend.enqueue(QUEUE, [Job()])
    backend.enqueue(QUEUE, [Job(id="a")])
    assert [job.id for job in lease(backend)] == ["a"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("create=1", "raise maxReceiveCount of the redrive policy to 3 or more"),
        ("create=1&retry=visibility", "no job gets more than 1 retries"),
    ],
)
def test_a_tight_redrive_policy_is_warned_of_once(
    open_backend: Callable[..., SQSBackend],
    service: Service,
    caplog: pytest.LogCaptureFixture,
    options: str,
    said: str,
) -> None:
    """A redrive policy that takes jobs away before their retries are used up is warned of."""
    policy = '{"maxReceiveCount": 2, "deadLetterTargetArn": "arn:aws:sqs:::dead"}'
    service.create("shop-mails", RedrivePolicy=policy)
    backend = open_backend(options)
    for _ in range(2):
        backend.enqueue(QUEUE, [Job()])
    assert caplog.text.count(said) == 1
