"""``sidekiq://`` writes what a Sidekiq process reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from work_core.errors import ConfigError, InvalidPayload, UnsupportedError
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from work_core.backend import Backend

CREATED = datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)


@pytest.fixture
def sidekiq(redis_url: str) -> Iterator[Backend]:
    """Yield an open backend."""
    with open_backend(redis_url.replace("redis://", "sidekiq://")) as backend:
        yield backend


@pytest.fixture
def queue(redis_namespace: str) -> QueueName:
    """Return a queue of the class ``SendMail``."""
    return QueueName(redis_namespace, "low/SendMail")


def test_due_job_goes_to_its_queue(sidekiq: Backend, raw: redis.Redis, queue: QueueName) -> None:
    """A due job is pushed in Sidekiq's job format, and its queue is known to Sidekiq."""
    job = Job(b'["a@b.c", 3]', created_at=CREATED)

    sidekiq.enqueue(queue, [job])

    assert raw.smembers(f"{queue.namespace}:queues") == {b"low"}
    [pushed] = raw.lrange(f"{queue.namespace}:queue:low", 0, -1)
    assert json.loads(pushed) == {
        "class": "SendMail",
        "jid": job.id,
        "args": ["a@b.c", 3],
        "created_at": CREATED.timestamp(),
        "enqueued_at": CREATED.timestamp(),
        "queue": "low",
        "retry": True,
    }


def test_jobs_run_in_order(sidekiq: Backend, raw: redis.Redis, queue: QueueName) -> None:
    """Sidekiq takes from the right end: the first job stands there."""
    jobs = [Job(b"[]") for _ in range(3)]
    sidekiq.enqueue(queue, jobs)
    pushed = raw.lrange(f"{queue.namespace}:queue:low", 0, -1)
    assert [json.loads(entry)["jid"] for entry in reversed(pushed)] == [job.id for job in jobs]


def test_later_job_goes_to_the_schedule(
    sidekiq: Backend, raw: redis.Redis, queue: QueueName
) -> None:
    """A job that is due later is put into Sidekiq's schedule under its due time."""
    due = utc_now() + timedelta(hours=1)
    job = Job(b"[]", enqueued_at=due)

    sidekiq.enqueue(queue, [job])

    key, score = f"{queue.namespace}:schedule", due.timestamp()
    entry: bytes = raw.zrangebyscore(key, score, score)[0]  # type: ignore[assignment]
    assert json.loads(entry)["jid"] == job.id
    assert not raw.exists(f"{queue.namespace}:queue:low")


def test_failure_is_carried_over(sidekiq: Backend, raw: redis.Redis, queue: QueueName) -> None:
    """Retries and the last error stand in the fields where Sidekiq keeps them."""
    failed = CREATED + timedelta(minutes=1)
    job = Job(b"[]", created_at=CREATED, updated_at=failed, retries=2, last_error="boom")

    sidekiq.enqueue(queue, [job])

    pushed = json.loads(raw.lindex(f"{queue.namespace}:queue:low", 0) or b"{}")
    assert pushed["retry_count"] == 2
    assert (pushed["error_class"], pushed["error_message"]) == ("StandardError", "boom")
    assert pushed["failed_at"] == pushed["retried_at"] == failed.timestamp()


def test_empty_namespace_has_no_prefix(sidekiq: Backend, raw: redis.Redis) -> None:
    """Without a namespace the keys are those that a plain Sidekiq uses."""
    sidekiq.enqueue(QueueName("", "work-test/SendMail"), [Job(b"[]")])
    assert raw.sismember("queues", "work-test")
    assert raw.llen("queue:work-test") == 1
    raw.srem("queues", "work-test")
    raw.delete("queue:work-test")


@pytest.mark.parametrize("queue_id", ["", "low", "low/", "/SendMail"])
def test_queue_id_without_class_is_refused(sidekiq: Backend, queue_id: str) -> None:
    """A queue id must say queue and class."""
    with pytest.raises(ConfigError, match="QUEUE/CLASS"):
        sidekiq.enqueue(QueueName("{x}", queue_id), [Job(b"[]")])


@pytest.mark.parametrize("payload", [b"", b"{}", b"\x81\xa1a\x01", b"nonsense"])
def test_payload_that_is_no_json_array_is_refused(
    sidekiq: Backend, raw: redis.Redis, queue: QueueName, payload: bytes
) -> None:
    """Nothing of a call is stored when one payload is no JSON array."""
    with pytest.raises(InvalidPayload, match="expected an array"):
        sidekiq.enqueue(queue, [Job(b"[]"), Job(payload)])
    assert not raw.exists(f"{queue.namespace}:queue:low")


@pytest.mark.parametrize(
    "call",
    [
        lambda backend, queue: backend.dequeue(queue, 1, at=utc_now(), lease=1.0),
        lambda backend, queue: backend.ack(queue, [Job()]),
        lambda backend, queue: backend.reschedule(queue, [Job()]),
        lambda backend, queue: backend.extend(queue, [Job()], until=utc_now()),
        lambda backend, queue: backend.exchange(queue, [], 1, at=utc_now(), lease=1.0),
    ],
)
def test_everything_else_is_refused(
    sidekiq: Backend, queue: QueueName, call: Callable[[Backend, QueueName], object]
) -> None:
    """Only Sidekiq runs its jobs."""
    with pytest.raises(UnsupportedError, match="only enqueues"):
        call(sidekiq, queue)
