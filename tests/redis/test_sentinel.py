"""A primary with a replica, watched by a Sentinel: work goes on after a failover."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest
import redis
from tests.servers.process import accepts_connections, free_port, running, wait_until
from tests.servers.redis import redis_command, redis_server, redis_server_binary

from work_core.errors import BackendUnavailable
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from work_core.backend import Backend

SENTINEL_CONFIG = """
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor main 127.0.0.1 {primary} 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 5000
"""


class Watched(NamedTuple):
    """A running set-up.

    Attributes:
        url: of the backend, by way of the Sentinel.
        primary_url: of the first primary.
        primary: its process.
    """

    url: str
    primary_url: str
    primary: subprocess.Popen[bytes]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Yield a primary and its replica, which a Sentinel knows."""
    primary, replica, sentinel = free_port(), free_port(), free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(SENTINEL_CONFIG.format(port=sentinel, folder=tmp_path, primary=primary))
    with ExitStack() as stack:
        process = stack.enter_context(
            running(
                redis_command(primary, tmp_path),
                tmp_path / "primary.log",
                lambda: accepts_connections(primary),
            )
        )
        following = ("--replicaof", "127.0.0.1", str(primary), "--repl-diskless-sync-delay", "0")
        stack.enter_context(redis_server(replica, tmp_path, *following))
        follower = stack.enter_context(redis.Redis(port=replica, host="127.0.0.1"))
        wait_until(
            lambda: follower.info("replication")["master_link_status"] == "up",
            "the replica to follow",
        )
        # Started last: a Sentinel looks for replicas at once, and then only every ten seconds.
        stack.enter_context(
            running(
                [redis_server_binary(), str(config), "--sentinel"],
                tmp_path / "sentinel.log",
                lambda: accepts_connections(sentinel),
            )
        )
        client = stack.enter_context(redis.Redis(port=sentinel, host="127.0.0.1"))
        wait_until(
            lambda: client.sentinel_master("main")["num-slaves"] == 1,
            "the Sentinel to find the replica",
        )
        yield Watched(
            f"redis+sentinel://127.0.0.1:{sentinel}/main/0", f"redis://127.0.0.1:{primary}", process
        )


def _enqueued(backend: Backend, queue: QueueName, job: Job) -> bool:
    try:
        backend.enqueue(queue, [job])
    except BackendUnavailable:
        return False
    return True


def test_failover_is_followed(watched: Watched, redis_namespace: str) -> None:
    """When the primary dies, calls fail as unavailable, and go on with the promoted replica."""
    queue = QueueName(redis_namespace, "mail")
    before, after = Job(b"before"), Job(b"after")
    with open_backend(watched.url) as backend:
        backend.enqueue(queue, [before])
        with redis.Redis.from_url(watched.primary_url) as primary:
            assert primary.wait(1, 10_000) == 1, "the replica has the job"
        watched.primary.kill()

        wait_until(lambda: _enqueued(backend, queue, after), "the failover")

        jobs = backend.dequeue(queue, 10, at=utc_now(), lease=60.0)
        assert [job.id for job in jobs] == [before.id, after.id]
        assert backend.ack(queue, jobs) == []


def test_sentinel_that_is_away_is_unavailable(redis_namespace: str) -> None:
    """With no Sentinel to ask, a call is ``BackendUnavailable``."""
    url = f"redis+sentinel://:hidden@127.0.0.1:{free_port()}/main"
    with open_backend(url) as backend, pytest.raises(BackendUnavailable) as caught:
        backend.enqueue(QueueName(redis_namespace, "mail"), [Job()])
    assert "hidden" not in str(caught.value)
