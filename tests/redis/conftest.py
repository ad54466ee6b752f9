"""What the tests of the Redis backend share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis

from work_core.job import QueueName, utc_now
from work_core.plugins import open_backend
from work_redis.backend import RedisBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_core.job import Job


@pytest.fixture
def backend(redis_url: str) -> Iterator[RedisBackend]:
    """Yield a backend on the server."""
    with open_redis(redis_url) as backend:
        yield backend


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """Yield a plain client of the server, to look at keys and to write as others do."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def queue(redis_namespace: str) -> QueueName:
    """Return the name of a queue that no other test uses."""
    return QueueName(redis_namespace, "mail")


def open_redis(url: str) -> RedisBackend:
    """Open the Redis backend of *url*."""
    backend = open_backend(url)
    assert isinstance(backend, RedisBackend)
    return backend


def lease(backend: RedisBackend, queue: QueueName, limit: int = 100, **options: Any) -> list[Job]:
    """Lease due jobs for a minute, now."""
    return backend.dequeue(queue, limit, at=utc_now(), lease=60.0, **options)
