"""Where the server of a namespace is: one place, a Sentinel's primary, a node of a cluster."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ResponseError
from redis.sentinel import Sentinel

from work_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Place = tuple[str, int]

_PLAIN, _PUSHES = 2, 3  # versions of the protocol

_HASH_TAG = re.compile(r"[^{]*\{[^}]+\}")


class Topology(ABC):
    """Say where a namespace lives and connect to there."""

    def __init__(self, connection_class: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self._connection_class = connection_class
        self._options = dict(options)
        self._protocol = _PUSHES

    @abstractmethod
    def locate(self, namespace: str) -> Place:
        """Return the place of the server that owns *namespace*, asking where it is unknown."""

    @abstractmethod
    def forget(self) -> None:
        """Ask around again before the next answer: the last one led nowhere."""

    def connect(self, place: Place) -> Any:
        """Return a new connection to *place*; in RESP2, without pushes, where RESP3 is refused."""
        try:
            return self._connect(place)
        except ResponseError:
            if self._protocol == _PLAIN:
                raise
            self._protocol = _PLAIN
            return self._connect(place)

    def _connect(self, place: Place) -> Any:
        connection = self._connection_class(
            **self._address(place), **self._options, protocol=self._protocol
        )
        connection.connect()
        return connection

    def _address(self, place: Place) -> dict[str, Any]:
        return {"host": place[0], "port": place[1]}


class SingleServer(Topology):
    """One server that stays where it is; the options hold its address."""

    def locate(self, namespace: str) -> Place:  # noqa: ARG002 - all namespaces live here
        """Return a name for the one place."""
        return ("", 0)

    def forget(self) -> None:
        """Do nothing."""

    def _address(self, place: Place) -> dict[str, Any]:  # noqa: ARG002 - there is only one
        return {}


class SentinelPrimary(Topology):
    """The server that the Sentinels of *hosts* call the primary of *service*."""

    def __init__(
        self,
        hosts: Sequence[Place],
        service: str,
        sentinel_options: Mapping[str, Any],
        connection_class: Callable[..., Any],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(connection_class, options)
        self._sentinel = Sentinel(hosts, sentinel_kwargs=dict(sentinel_options))  # type: ignore[no-untyped-call]
        self._service = service
        self._primary: Place | None = None

    def locate(self, namespace: str) -> Place:  # noqa: ARG002 - all namespaces live on the primary
        """Return the primary."""
        primary = self._primary
        if primary is None:
            primary = self._primary = self._sentinel.discover_master(self._service)  # type: ignore[no-untyped-call]
        return primary

    def forget(self) -> None:
        """Ask the Sentinels again next time."""
        self._primary = None


class ClusterNodes(Topology):
    """The node that owns the slot of a namespace's hash tag, in the cluster of *hosts*."""

    def __init__(
        self,
        hosts: Sequence[Place],
        cluster_options: Mapping[str, Any],
        connection_class: Callable[..., Any],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(connection_class, options)
        self._hosts = hosts
        self._cluster_options = dict(cluster_options)
        self._places: dict[str, Place] = {}
        self._cluster: RedisCluster | None = None

    def locate(self, namespace: str) -> Place:
        """Return the node of *namespace*.

        Raises:
            ConfigError: when the namespace has no hash tag, so that its keys would be scattered.
        """
        places = self._places
        if namespace not in places:
            if not _HASH_TAG.match(namespace):
                raise ConfigError(
                    f"namespace {namespace!r} has no hash tag, so a cluster would scatter its keys "
                    f"over its nodes; write it as '{{{namespace}}}'"
                )
            node = self._open().get_node_from_key(namespace)  # type: ignore[no-untyped-call]
            places[namespace] = (node.host, node.port)
        return places[namespace]

    def forget(self) -> None:
        """Read the map of slots again next time."""
        self._places = {}
        self._cluster = None

    def _open(self) -> RedisCluster:
        cluster = self._cluster
        if cluster is None:
            nodes = [ClusterNode(*place) for place in self._hosts]  # type: ignore[no-untyped-call]
            cluster = self._cluster = RedisCluster(startup_nodes=nodes, **self._cluster_options)
        return cluster
