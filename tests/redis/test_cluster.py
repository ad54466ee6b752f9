"""Jobs in a cluster of three nodes: every namespace lives on the node of its hash tag."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import redis
from redis.crc import key_slot
from tests.servers.process import free_port, wait_until
from tests.servers.redis import redis_server

from work_core.errors import ConfigError
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend
from work_core.testing import BackendConformance
from work_core.testing.conformance import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.backend import Backend

SLOTS = 16384
SHARE = SLOTS // 3 + 1


def _free_cluster_port() -> int:
    # A node listens on its port plus 10000 besides.
    while (port := free_port()) > 55535:
        pass
    return port


def _join(nodes: list[redis.Redis], ports: list[int]) -> None:
    for index, node in enumerate(nodes):
        first = index * SHARE
        node.cluster("ADDSLOTS", *range(first, min(first + SHARE, SLOTS)))
        node.cluster("SET-CONFIG-EPOCH", index + 1)
    for port in ports[1:]:
        nodes[0].cluster("MEET", "127.0.0.1", port)
    wait_until(lambda: all(map(_sees_three, nodes)), "the nodes to find each other")


def _sees_three(node: redis.Redis) -> bool:
    known = node.cluster("INFO")
    return (known["cluster_state"], known["cluster_known_nodes"]) == ("ok", "3")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[redis.Redis]]:
    """Yield a client of each node of a running cluster."""
    ports = [_free_cluster_port() for _ in range(3)]
    with ExitStack() as stack:
        clients = []
        for port in ports:
            folder = tmp_path_factory.mktemp(f"node-{port}")
            stack.enter_context(redis_server(port, folder, "--cluster-enabled", "yes"))
            clients.append(stack.enter_context(redis.Redis(port=port, host="127.0.0.1")))
        _join(clients, ports)
        yield clients


@pytest.fixture(scope="module")
def cluster_url(nodes: list[redis.Redis]) -> str:
    """Return the URL of the cluster, with two of its nodes."""
    hosts = [node.connection_pool.connection_kwargs["port"] for node in nodes[:2]]
    return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in hosts)


class TestCluster(BackendConformance):
    """``redis+cluster://`` keeps the whole contract."""

    @pytest.fixture
    def namespace(self, redis_namespace: str) -> str:
        """Return a namespace with a hash tag."""
        return redis_namespace

    @pytest.fixture
    def url(self, cluster_url: str) -> str:
        """Return the URL of the cluster."""
        return cluster_url

    @pytest.fixture
    def backend(self, cluster_url: str) -> Iterator[Backend]:
        """Yield a backend on the cluster."""
        with open_backend(cluster_url) as backend:
            yield backend

    @pytest.fixture
    def poison(self, nodes: list[redis.Redis]) -> Callable[[QueueName], None]:
        """Plant a hash whose record is no msgpack map, on the node that owns the namespace."""

        def plant(queue: QueueName) -> None:
            node = nodes[key_slot(queue.namespace.encode()) // SHARE]
            key = f"{queue.namespace}:job:poison"
            node.hset(key, "msgpack", b"\xc1 is no msgpack")
            node.zadd(f"{queue.namespace}:queue:{queue.queue_id}", {key: 1.0})

        return plant

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        """Yield a backend on a port where nobody listens."""
        secret = "open-sesame"
        with open_backend(f"redis+cluster://worker:{secret}@127.0.0.1:{free_port()}") as backend:
            yield Unreachable(backend, secret)


def test_namespace_without_hash_tag_is_refused(cluster_url: str) -> None:
    """A cluster would scatter the keys of a namespace without hash tag, so the call says so."""
    with (
        open_backend(cluster_url) as backend,
        pytest.raises(ConfigError, match=r"namespace 'plain' has no hash tag.*'{plain}'"),
    ):
        backend.enqueue(QueueName("plain", "mail"), [Job()])


def test_slot_that_moves_is_followed(
    nodes: list[redis.Redis], cluster_url: str, redis_namespace: str
) -> None:
    """When the slot of a namespace moves to another node, calls go there, dequeue too."""
    queue = QueueName(redis_namespace, "mail")
    slot = key_slot(redis_namespace.encode())
    with open_backend(cluster_url) as backend:
        assert backend.dequeue(queue, 1, at=utc_now(), lease=60.0) == []
        target = nodes[(slot // SHARE + 1) % 3].cluster("MYID")
        for node in nodes:
            node.cluster("SETSLOT", slot, "NODE", target)
        job = Job(b"moved")
        with open_backend(cluster_url) as other:
            other.enqueue(queue, [job])

        assert [found.id for found in backend.dequeue(queue, 1, at=utc_now(), lease=60.0)] == [
            job.id
        ]
