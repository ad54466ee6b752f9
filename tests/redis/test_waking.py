"""A waiting dequeue hears of every job, whoever wrote it, and polls where it may not listen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import pytest
from tests.redis.conftest import lease, open_redis
from tests.servers.process import wait_until

from work_core.codec import encode_job
from work_core.job import Job, QueueName

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from work_redis.backend import RedisBackend


class Waiter(threading.Thread):
    """A thread that waits for one job of *queue*, for up to a minute."""

    def __init__(self, backend: RedisBackend, queue: QueueName) -> None:
        super().__init__(daemon=True)
        self._backend = backend
        self._queue = queue
        self.jobs: list[Job] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._backend.wake()
        self.join(30)

    def run(self) -> None:
        """Wait."""
        self.jobs = lease(self._backend, self._queue, 1, wait=60.0)


def _enqueue_as_others_do(raw: redis.Redis, queue: QueueName, job: Job) -> None:
    key = f"{queue.namespace}:job:{job.id}"
    with raw.pipeline() as pipeline:
        pipeline.hset(key, "msgpack", encode_job(job))
        pipeline.zadd(f"{queue.namespace}:queue:{queue.queue_id}", {key: 1.0})
        pipeline.execute()


def _calls(raw: redis.Redis, command: str) -> int:
    stats = raw.info("commandstats").get(f"cmdstat_{command}")
    return stats["calls"] if stats else 0


def test_write_of_another_program_is_heard(
    backend: RedisBackend, raw: redis.Redis, queue: QueueName
) -> None:
    """A job that a program of another language writes wakes the waiter by the server's push."""
    with Waiter(backend, queue) as waiter:
        wait_until(lambda: _trackers(raw) > 0, "the waiter to wait")
        job = Job(b"from Go")
        _enqueue_as_others_do(raw, queue, job)
        waiter.join(30)
    assert [found.id for found in waiter.jobs] == [job.id]


def test_idle_waiter_asks_nothing(
    backend: RedisBackend, raw: redis.Redis, queue: QueueName
) -> None:
    """A waiter that listens leaves the server alone: it asks once and then sleeps."""
    with Waiter(backend, queue):
        wait_until(lambda: _trackers(raw) > 0, "the waiter to wait")
        wait_until(lambda: _calls(raw, "zrange") > 0, "the first look")
        before = _calls(raw, "zrange")
        for _ in range(200):
            raw.ping()
        assert _calls(raw, "zrange") == before


@pytest.fixture
def muted(raw: redis.Redis, redis_url: str) -> Iterator[RedisBackend]:
    """Yield a backend whose user may not use ``CLIENT TRACKING``."""
    rights = ("on", ">x", "~*", "&*", "+@all", "-client")
    raw.execute_command("ACL", "SETUSER", "muted", *rights)  # type: ignore[no-untyped-call]
    url = redis_url.replace("://", "://muted:x@")
    with open_redis(f"{url}?poll_interval=0.01") as backend:
        yield backend
    raw.acl_deluser("muted")


def test_refused_listener_polls(
    muted: RedisBackend,
    raw: redis.Redis,
    queue: QueueName,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the server refuses client tracking the waiter says so once and polls."""
    with Waiter(muted, queue) as waiter:
        wait_until(lambda: "refuses client tracking" in caplog.text, "the refusal")
        job = Job(b"polled")
        _enqueue_as_others_do(raw, queue, job)
        waiter.join(30)
    assert [found.id for found in waiter.jobs] == [job.id]


def test_tracking_can_be_switched_off(raw: redis.Redis, redis_url: str, queue: QueueName) -> None:
    """With ``?tracking=0`` the waiter polls without asking for pushes."""
    with open_redis(f"{redis_url}?tracking=0&poll_interval=0.01") as backend:
        before = _calls(raw, "zrange")
        with Waiter(backend, queue) as waiter:
            wait_until(lambda: _calls(raw, "zrange") > before + 1, "the second look")
            assert _trackers(raw) == 0
            _enqueue_as_others_do(raw, queue, Job())
            waiter.join(30)
        assert len(waiter.jobs) == 1


def test_every_waiter_is_woken(backend: RedisBackend, raw: redis.Redis, queue: QueueName) -> None:
    """Of several waiters each gets one of the jobs that arrive together."""
    waiters = [Waiter(backend, queue) for _ in range(4)]
    for waiter in waiters:
        waiter.start()
    wait_until(lambda: _trackers(raw) == 4, "all to wait")

    backend.enqueue(queue, [Job() for _ in range(4)])

    for waiter in waiters:
        waiter.join(30)
    assert len({job.id for waiter in waiters for job in waiter.jobs}) == 4


def _trackers(raw: redis.Redis) -> int:
    return sum("t" in client["flags"] for client in raw.client_list())
