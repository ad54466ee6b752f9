"""Keys shared with Go programs on Redis, set here by the commands that the Go library sends."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import pytest
import redis
from tests.middleware.folded import enqueued, fetched

from work_core.job import Job, QueueName
from work_core.plugins import open_backend
from work_middleware.concurrency import Concurrency
from work_middleware.unique import Unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_core.backend import Backend

GO_LOCK = """
local lock_key = table.concat({ARGV[1], "lock", ARGV[2]}, ":")
local at = tonumber(ARGV[3])
redis.call("expire", lock_key, ARGV[4])
redis.call("zremrangebyscore", lock_key, "-inf", at)
if redis.call("zcard", lock_key) < tonumber(ARGV[6]) then
  return redis.call("zadd", lock_key, "nx", at + tonumber(ARGV[4]), ARGV[5])
end
return 0
"""


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """Return a connection of the Go program."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def store(redis_url: str) -> Iterator[Backend]:
    """Return our own."""
    with open_backend(redis_url) as backend:
        yield backend


def go_locks(client: redis.Redis, queue: QueueName, worker: str, limit: int) -> bool:
    """Take a place as Go's ``concurrent.Dequeuer`` does, for a minute."""
    now = int(time.time())
    return bool(client.eval(GO_LOCK, 0, *queue, now, 60, worker, limit))


def test_a_key_that_go_claimed_makes_a_duplicate(
    client: redis.Redis, store: Backend, queue: QueueName
) -> None:
    """Whose job it is Go does not say."""
    key = f"{queue.namespace}:unique:{queue.queue_id}:{hashlib.sha256(b'x').hexdigest()}"
    assert client.set(key, 1, nx=True, px=60_000)
    batch, stored = enqueued(store, Unique(60), queue=queue)(Job(b"x", "a"))
    assert stored == []
    assert batch.duplicates == {"a": "1"}


def test_a_key_that_we_claimed_stops_go(
    client: redis.Redis, store: Backend, queue: QueueName
) -> None:
    """For as long as our period lasts."""
    enqueued(store, Unique(60), queue=queue)(Job(b"x", "a"))
    key = f"{queue.namespace}:unique:{queue.queue_id}:{hashlib.sha256(b'x').hexdigest()}"
    assert not client.set(key, 1, nx=True, px=60_000)
    assert 0 < client.pttl(key) <= 60_000


def test_places_of_go_workers_count(client: redis.Redis, store: Backend, queue: QueueName) -> None:
    """With two of three places taken in Go, one job is fetched here."""
    store.enqueue(queue, [Job() for _ in range(9)])
    assert go_locks(client, queue, "go-1", 3)
    assert go_locks(client, queue, "go-2", 3)
    assert len(fetched(store, Concurrency(3), queue=queue)(9)) == 1


def test_our_places_count_for_go(client: redis.Redis, store: Backend, queue: QueueName) -> None:
    """With two of three places taken here, one Go worker gets in."""
    store.enqueue(queue, [Job(), Job()])
    assert len(fetched(store, Concurrency(3), queue=queue)(2)) == 2
    assert go_locks(client, queue, "go-1", 3)
    assert not go_locks(client, queue, "go-2", 3)
