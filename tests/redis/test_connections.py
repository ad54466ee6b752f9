"""Connections break, servers restart, processes fork: nothing is lost and nothing is sent twice."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from tests.redis.conftest import lease, open_redis
from tests.redis.proxy import Proxy
from tests.servers.process import free_port, wait_until
from tests.servers.redis import redis_server

from work_core.errors import BackendError, BackendUnavailable, EnqueueFailed
from work_core.job import Job, QueueName, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

    from work_redis.backend import RedisBackend


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    """Yield a proxy in front of the server."""
    with Proxy(_port(redis_url)) as proxy:
        yield proxy


@pytest.fixture
def shaky(proxy: Proxy) -> Iterator[RedisBackend]:
    """Yield a backend whose connections go through the proxy."""
    with open_redis(f"redis://127.0.0.1:{proxy.port}/0") as backend:
        yield backend


def test_dequeue_is_never_sent_twice(
    proxy: Proxy, shaky: RedisBackend, raw: redis.Redis, queue: QueueName
) -> None:
    """When the answer to a dequeue is lost, it is an error: sent again, it would lease twice."""
    shaky.enqueue(queue, [Job(), Job(), Job()])
    shaky.ack(queue, lease(shaky, queue, 1))  # so that the server has the scripts
    proxy.cut.set()

    with pytest.raises(BackendUnavailable):
        lease(shaky, queue, 1)

    leased = raw.zcount(f"{queue.namespace}:queue:mail", utc_now().timestamp() + 1, "+inf")
    assert leased == 1


def test_enqueue_is_sent_again(
    proxy: Proxy, shaky: RedisBackend, raw: redis.Redis, queue: QueueName
) -> None:
    """When the answer to an enqueue is lost, it is sent again, and the job is there once."""
    shaky.enqueue(queue._replace(queue_id="other"), [Job()])  # so that the server has the script
    key = f"{queue.namespace}:queue:mail"
    proxy.cut.set()

    def heal() -> None:
        wait_until(lambda: raw.exists(key) == 1, "the job to arrive")
        proxy.cut.clear()

    healer = threading.Thread(target=heal)
    healer.start()

    shaky.enqueue(queue, [Job()])

    healer.join()
    assert raw.zcard(key) == 1


def test_killed_connections_are_replaced(
    backend: RedisBackend, raw: redis.Redis, queue: QueueName
) -> None:
    """After ``CLIENT KILL`` what may be sent again just works."""
    backend.enqueue(queue, [Job()])
    raw.client_kill_filter(_type="normal", skipme=True)

    backend.enqueue(queue, [Job()])

    assert backend.metrics(queue, at=utc_now()).ready == 2


def test_killed_waiter_goes_on_waiting(
    backend: RedisBackend, raw: redis.Redis, redis_url: str, queue: QueueName
) -> None:
    """A dequeue that waits when its connection is killed waits on, and gets the next job."""
    found: list[Job] = []
    waiter = threading.Thread(target=lambda: found.extend(lease(backend, queue, wait=60.0)))
    waiter.start()
    wait_until(lambda: _tracking(raw) > 0, "the waiter to wait")
    before = _tracking_ids(raw)
    raw.client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: bool(_tracking_ids(raw) - before), "the waiter to be back")

    with open_redis(redis_url) as other:
        other.enqueue(queue, [Job(b"late")])

    waiter.join(30)
    assert [job.payload for job in found] == [b"late"]


def _tracking_ids(raw: redis.Redis) -> set[str]:
    return {client["id"] for client in raw.client_list() if "t" in client["flags"]}


def _tracking(raw: redis.Redis) -> int:
    return len(_tracking_ids(raw))


def test_restarted_server_is_used_again(tmp_path: Path, queue: QueueName) -> None:
    """While the server is away calls are ``BackendUnavailable``; when it is back they work."""
    port = free_port()
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    with open_redis(f"redis://127.0.0.1:{port}/0") as backend:
        with redis_server(port, tmp_path, *durable):
            backend.enqueue(queue, [Job(b"kept")])
        with pytest.raises(BackendUnavailable):
            lease(backend, queue)
        with redis_server(port, tmp_path, *durable):
            jobs: list[Job] = []

            def resumed() -> bool:
                try:
                    jobs.extend(lease(backend, queue))
                except BackendUnavailable:
                    return False
                return True

            wait_until(resumed, "the server to be back")
            assert [job.payload for job in jobs] == [b"kept"]


def test_flushed_scripts_are_sent_again(
    backend: RedisBackend, raw: redis.Redis, queue: QueueName
) -> None:
    """A server that forgot the scripts is given them again, while waiting too."""
    backend.enqueue(queue, [Job()])
    raw.script_flush()
    [job] = lease(backend, queue)
    raw.script_flush()
    assert backend.ack(queue, [job]) == []
    raw.script_flush()
    assert lease(backend, queue, wait=0.05) == []


def test_wrong_password_is_not_retried(redis_url: str, queue: QueueName) -> None:
    """A refused password is a ``BackendError`` that does not show it."""
    url = redis_url.replace("://", "://somebody:open-sesame@")
    with open_redis(url) as backend, pytest.raises(BackendError) as caught:
        backend.enqueue(queue, [Job()])
    assert not isinstance(caught.value, BackendUnavailable)
    assert "open-sesame" not in str(caught.value)


def test_full_server_is_unavailable(tmp_path: Path, queue: QueueName) -> None:
    """A server that is out of memory is ``BackendUnavailable``, with its own words."""
    with (
        redis_server(free_port(), tmp_path, "--maxmemory", "1") as url,
        open_redis(url) as backend,
        pytest.raises(BackendUnavailable, match="maxmemory"),
    ):
        backend.enqueue(queue, [Job()])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_makes_its_own_connections(backend: RedisBackend, queue: QueueName) -> None:
    """A child of ``fork`` and its parent use one backend object without mixing their answers."""
    jobs = [Job(id=f"job-{number:03}") for number in range(200)]
    backend.enqueue(queue, jobs)
    child = os.fork()
    if child == 0:
        try:
            for _ in range(100):
                backend.ack(queue, lease(backend, queue, 1))
        except BaseException:  # noqa: BLE001 - the parent sees the exit code
            os._exit(1)
        os._exit(0)
    for _ in range(100):
        assert backend.ack(queue, lease(backend, queue, 1)) == []
    assert os.waitpid(child, 0)[1] == 0
    assert backend.metrics(queue, at=utc_now())[:2] == (0, 0)


def test_large_jobs_are_sent_in_steps(backend: RedisBackend, queue: QueueName) -> None:
    """A call with more bytes than the server takes at once stores all of its jobs, in order."""
    now = utc_now()
    jobs = [Job(bytes([number]) * 3_000_000, enqueued_at=now) for number in range(20)]
    backend.enqueue(queue, jobs)
    assert [job.payload for job in lease(backend, queue)] == [job.payload for job in jobs]


def test_half_stored_call_says_what_is_stored(tmp_path: Path, queue: QueueName) -> None:
    """When the server fails in the middle of a large call, the error tells the jobs apart."""
    limit = ("--maxmemory", "24mb", "--maxmemory-policy", "noeviction")
    jobs = [Job(b"x" * 100_000) for _ in range(1000)]
    with redis_server(free_port(), tmp_path, *limit) as url, open_redis(url) as backend:
        with pytest.raises(EnqueueFailed) as caught:
            backend.enqueue(queue, jobs)
        stored, failed = caught.value.stored, [job for job, _ in caught.value.failed]
        assert [*stored, *failed] == jobs
        assert stored
        assert None not in backend.find(queue, [job.id for job in stored])
