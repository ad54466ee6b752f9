"""Where the server that owns a key is: one place, a Sentinel's primary, or a node of a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from redis.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.connection import AbstractConnection

Place = tuple[str, int]


class Topology(ABC):
    """Say where a key lives and make connections to there."""

    def __init__(
        self, connection_class: type[AbstractConnection], options: Mapping[str, Any]
    ) -> None:
        self._connection_class = connection_class
        self._options = options

    @abstractmethod
    def locate(self, key: bytes) -> Place:
        """Return the place of the server that owns *key*, asking around where it is not known."""

    def connection(self, place: Place) -> AbstractConnection:
        """Return a new connection to *place*, not yet connected."""
        host, port = place
        return self._connection_class(host=host, port=port, **self._options)

    @abstractmethod
    def forget(self) -> None:
        """Ask around again before the next answer: the last one led nowhere."""


class SingleServer(Topology):
    """One server that never moves."""

    def locate(self, key: bytes) -> Place:  # noqa: ARG002 - every key lives here
        """Return the empty place: the options hold the address."""
        return ("", 0)

    def connection(self, place: Place) -> AbstractConnection:  # noqa: ARG002 - see locate
        """Return a new connection to the server."""
        return self._connection_class(**self._options)

    def forget(self) -> None:
        """Do nothing."""


def open_topology(host: str, port: int, options: Mapping[str, Any]) -> Topology:
    return SingleServer(Connection, {"host": host, "port": port, **options})
