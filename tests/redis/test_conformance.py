"""The Redis backend keeps the contract, with both kinds of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
import redis
from tests.servers.process import free_port

from work_core.plugins import open_backend
from work_core.testing import BackendConformance
from work_core.testing.conformance import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from work_core.backend import Backend
    from work_core.job import QueueName


class TestRedis(BackendConformance):
    """``redis://``."""

    @pytest.fixture
    def namespace(self, redis_namespace: str) -> str:
        """Return a namespace that no other test uses."""
        return redis_namespace

    @pytest.fixture
    def url(self, redis_url: str) -> str:
        """Return the URL of the server."""
        return redis_url

    @pytest.fixture
    def backend(self, url: str) -> Iterator[Backend]:
        """Yield a backend on the server."""
        with open_backend(url) as backend:
            yield backend

    @pytest.fixture
    def poison(self, redis_url: str) -> Iterator[Callable[[QueueName], None]]:
        """Plant a hash whose record is no msgpack map."""
        client = redis.Redis.from_url(redis_url)

        def plant(queue: QueueName) -> None:
            key = f"{queue.namespace}:job:poison"
            client.hset(key, "msgpack", b"\xc1 is no msgpack")
            client.zadd(f"{queue.namespace}:queue:{queue.queue_id}", {key: 1.0})

        yield plant
        client.close()

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        """Yield a backend on a port where nobody listens."""
        secret = "open-sesame"
        with open_backend(f"redis://worker:{secret}@127.0.0.1:{free_port()}/0") as backend:
            yield Unreachable(backend, secret)


_CUT = "a due time is cut to its second, as in Go"


class TestRedisInWholeSeconds(TestRedis):
    """``redis://...?compat=go``: scores as the Go library writes them."""

    deviations: ClassVar[Mapping[str, str]] = {
        "test_delay_is_never_early": _CUT,
        "test_rescheduled_job_comes_when_due": _CUT,
        "test_scheduled_job_ends_the_wait": _CUT,
    }

    @pytest.fixture
    def url(self, redis_url: str) -> str:
        """Return the URL of the server, with scores in whole seconds."""
        return f"{redis_url}?compat=go"
