"""Python and Go processes share queues: keys, bytes and scores are those of the Go library.

The Go half is played by the plain commands that its scripts come down to; the records are bytes
that the library itself has written.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.redis.conftest import lease, open_redis

from work_core.codec import encode_job
from work_core.job import Job, QueueName, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from work_redis.backend import RedisBackend

RETRIED = bytes.fromhex(
    "87a26964a772657472696564aa637265617465645f6174d6ff6553f100aa757064617465645f6174d7ff1d6f3454"
    "6553f164ab656e7175657565645f6174d7ff773594006553f1c8a77061796c6f6164c406a568656c6c6fa7726574"
    "7269657303aa6c6173745f6572726f72ae626f6f6d3a20c3a9e4b896e7958c"
)
CREATED = datetime.fromtimestamp(1_700_000_000, UTC)


def _retried() -> Job:
    return Job(
        payload=b"\xa5hello",
        id="retried",
        created_at=CREATED,
        updated_at=CREATED + timedelta(seconds=100, microseconds=123_456),
        enqueued_at=CREATED + timedelta(seconds=200, microseconds=500_000),
        retries=3,
        last_error="boom: é世界",
    )


class Go:
    """What a Go process does to *queue*."""

    def __init__(self, client: redis.Redis, queue: QueueName) -> None:
        self.client = client
        self.queue_key = f"{queue.namespace}:queue:{queue.queue_id}"
        self._prefix = f"{queue.namespace}:job:"

    def job_key(self, name: str) -> str:
        """Return the key of a job."""
        return self._prefix + name

    def enqueue(self, name: str, record: bytes, due: int) -> None:
        """Write the record and the whole second at which it is due."""
        self.client.hset(self.job_key(name), "msgpack", record)
        self.client.zadd(self.queue_key, {self.job_key(name): due})

    def lease(self, name: str, until: int) -> None:
        """Hide the job by its score."""
        self.client.zadd(self.queue_key, {self.job_key(name): until}, xx=True)

    def ack(self, name: str) -> None:
        """Delete the job, whoever leased it."""
        self.client.delete(self.job_key(name))
        self.client.zrem(self.queue_key, self.job_key(name))


@pytest.fixture
def go(raw: redis.Redis, queue: QueueName) -> Go:
    """Return a Go process that uses the same queue."""
    return Go(raw, queue)


@pytest.fixture
def whole(redis_url: str) -> Iterator[RedisBackend]:
    """Yield a backend with scores in whole seconds."""
    with open_redis(f"{redis_url}?compat=go") as backend:
        yield backend


def test_job_from_go_is_read(backend: RedisBackend, go: Go, queue: QueueName) -> None:
    """A job that Go wrote comes out with all its fields; nanoseconds are cut to microseconds."""
    go.enqueue("retried", RETRIED, 1_700_000_200)
    [job] = lease(backend, queue)
    expected = _retried()
    expected.lease, expected.deliveries = job.lease, 1
    assert job == expected


def test_job_for_go_has_its_bytes(whole: RedisBackend, go: Go, queue: QueueName) -> None:
    """Keys, record and score of a new job are exactly what Go would have written."""
    job = Job(b"\xa5hello", "plain", CREATED, CREATED, CREATED + timedelta(seconds=60.9))
    whole.enqueue(queue, [job])
    assert go.client.hgetall(go.job_key("plain")) == {b"msgpack": encode_job(job)}
    assert go.client.zrangebyscore(go.queue_key, 1_700_000_060, 1_700_000_060) == [
        go.job_key("plain").encode()
    ]


def test_lease_leaves_the_record_alone(whole: RedisBackend, go: Go, queue: QueueName) -> None:
    """A leased job keeps Go's bytes, and its score stays a whole second in the future."""
    go.enqueue("retried", RETRIED, 1_700_000_200)
    lease(whole, queue)
    assert go.client.hget(go.job_key("retried"), "msgpack") == RETRIED
    score = go.client.zscore(go.queue_key, go.job_key("retried"))
    assert isinstance(score, float)
    assert score.is_integer()
    assert score > utc_now().timestamp() + 58


def test_rescheduled_job_is_as_go_writes_it(whole: RedisBackend, go: Go, queue: QueueName) -> None:
    """A job that Python gives back carries nothing that Go does not know."""
    go.enqueue("retried", RETRIED, 1_700_000_200)
    [job] = lease(whole, queue)
    assert whole.reschedule(queue, [job]) == []
    assert go.client.hgetall(go.job_key("retried")) == {b"msgpack": encode_job(job)}
    assert go.client.zscore(go.queue_key, go.job_key("retried")) == 1_700_000_200


def test_lease_by_go_ends_ours(backend: RedisBackend, go: Go, queue: QueueName) -> None:
    """When Go leased the job after our lease ended, we neither ack, extend nor reschedule it."""
    go.enqueue("retried", RETRIED, 1_700_000_200)
    [job] = lease(backend, queue)
    go.lease("retried", 4_000_000_000)

    assert backend.ack(queue, [job]) == [job]
    assert backend.extend(queue, [job], until=utc_now()) == [job]
    assert backend.reschedule(queue, [job]) == [job]

    assert go.client.zscore(go.queue_key, go.job_key("retried")) == 4_000_000_000


def test_retry_by_go_starts_the_count_again(
    backend: RedisBackend, go: Go, queue: QueueName
) -> None:
    """A job that Go put back for a retry counts its deliveries from 1."""
    go.enqueue("retried", RETRIED, 1_700_000_200)
    lease(backend, queue)
    go.enqueue("retried", RETRIED, 1_700_000_300)
    [job] = lease(backend, queue)
    assert job.deliveries == 1


def test_ack_by_go_is_the_end(backend: RedisBackend, go: Go, queue: QueueName) -> None:
    """A job that Go acked is gone: our ack is fine, and nothing brings it back."""
    go.enqueue("retried", RETRIED, 1_700_000_200)
    [job] = lease(backend, queue)
    go.ack("retried")
    assert backend.ack(queue, [job]) == []
    assert backend.extend(queue, [job], until=utc_now()) == [job]
    assert backend.reschedule(queue, [job]) == [job]
    assert not go.client.exists(go.queue_key, go.job_key("retried"))


def test_unique_key_of_go_is_respected(backend: RedisBackend, go: Go, queue: QueueName) -> None:
    """A key that Go claimed is taken until it expires; its owner is only known as ``1``."""
    go.client.set(f"{queue.namespace}:unique:mail:abc", 1, nx=True, ex=60)
    claim = backend.claim(queue.namespace, "mail:abc", "me", at=utc_now(), period=60.0)
    assert claim == "1"
    assert not backend.forget(queue.namespace, "mail:abc", "me")


def test_unique_key_of_ours_is_seen_by_go(backend: RedisBackend, go: Go, queue: QueueName) -> None:
    """A key that we claimed stops Go's ``SET NX``, and expires by itself."""
    backend.claim(queue.namespace, "mail:abc", "me", at=utc_now(), period=60.0)
    key = f"{queue.namespace}:unique:mail:abc"
    assert go.client.set(key, 1, nx=True, ex=60) is None
    assert go.client.pttl(key) > 0


def test_places_are_shared_with_go(whole: RedisBackend, go: Go, queue: QueueName) -> None:
    """Go's holders take places from ours, and ours are members with a whole second as score."""
    now = utc_now()
    until = now + timedelta(seconds=60)
    key = f"{queue.namespace}:lock:mail"
    go.client.zadd(key, {"go": int(now.timestamp()) + 60})
    assert whole.acquire(queue.namespace, "mail", "py", limit=2, at=now, until=until)
    assert not whole.acquire(queue.namespace, "mail", "py2", limit=2, at=now, until=until)
    score = go.client.zscore(key, "py")
    assert isinstance(score, float)
    assert score.is_integer()
