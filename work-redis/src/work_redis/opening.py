"""From a URL to a client of the servers that it names; no server is asked yet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry

from work_core.errors import InvalidURL
from work_core.url import suggestion, yes_or_no
from work_redis.client import Client
from work_redis.topology import ClusterNodes, SentinelPrimary, SingleServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.url import URL, Option
    from work_redis.topology import Place, Topology

REDIS_PORT = 6379
SENTINEL_PORT = 26379
TIMEOUT = 5.0
POLL_INTERVAL = 0.5

# A connection that a firewall forgot must not look alive for ever.
_KEEPALIVE = {"socket_keepalive": True}

_HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(:(?P<port>\d{1,5}))?")


class Access(NamedTuple):
    """How to talk to a server, wherever it is.

    Attributes:
        options: of redis-py's ``Connection``.
        tls: of its ``SSLConnection``, or ``None`` for a connection in the clear.
    """

    options: dict[str, Any]
    tls: dict[str, Any] | None

    def for_connection(self) -> tuple[Callable[..., Any], dict[str, Any]]:
        """Return the class of connection and its options."""
        if self.tls is None:
            return Connection, self.options | _KEEPALIVE
        return SSLConnection, self.options | self.tls | _KEEPALIVE

    def for_client(self) -> dict[str, Any]:
        """Return the options of redis-py's clients that ask where a server is.

        They ask for TLS by a switch, and would retry for 14 s: that is for our caller to decide.
        """
        tls = {} if self.tls is None else self.tls | {"ssl": True}
        return self.options | tls | _KEEPALIVE | {"retry": Retry(NoBackoff(), 0)}


def open_client(url: URL, scheme: str, option: Option) -> Client:
    """Return a client of the servers that *url* names.

    *scheme* is that of *url*, unless that says more than where the servers are. *option* takes from
    the URL what concerns them.

    Raises:
        InvalidURL: for a part or an option that is wrong.
    """
    if scheme not in _TOPOLOGIES:
        hint = suggestion(scheme, list(_TOPOLOGIES)) or f"; known: {', '.join(_TOPOLOGIES)}"
        raise InvalidURL(f"{url}: unknown scheme {scheme!r}{hint}")
    tls = _tls(option) if scheme.startswith("rediss") else None
    topology = _TOPOLOGIES[scheme](url, option, Access(_connection_options(url, option), tls))
    return Client(
        topology,
        str(url),
        tracking=option("tracking", yes_or_no, True),
        poll_interval=option("poll_interval", seconds, POLL_INTERVAL),
    )


def _server(url: URL, option: Option, access: Access) -> Topology:
    connection_class, options = access.for_connection()
    address = {"host": url.host or "localhost", "port": url.port or REDIS_PORT}
    return SingleServer(connection_class, options | address | _database(url, option, url.path))


def _socket(url: URL, option: Option, access: Access) -> Topology:
    if not url.path.strip("/"):
        raise InvalidURL(f"{url} names no socket; expected something like unix:///run/redis.sock")
    address = {"path": url.path} | _database(url, option, "")
    return SingleServer(UnixDomainSocketConnection, access.options | address)


def _sentinel(url: URL, option: Option, access: Access) -> Topology:
    service, _, database = url.path.strip("/").partition("/")
    if not service:
        raise InvalidURL(
            f"{url} names no service; expected something like {url.scheme}://h1,h2/main"
        )
    own = {
        "username": option("sentinel_username", str, None),
        "password": option("sentinel_password", str, None),
    }
    connection_class, options = access.for_connection()
    return SentinelPrimary(
        _hosts(url, SENTINEL_PORT),
        service,
        access.for_client() | own,
        connection_class,
        options | _database(url, option, database),
    )


def _cluster(url: URL, option: Option, access: Access) -> Topology:  # noqa: ARG001 - one signature
    if url.path.strip("/"):
        raise InvalidURL(f"{url}: a cluster has only database 0; leave {url.path!r} out")
    connection_class, options = access.for_connection()
    return ClusterNodes(_hosts(url, REDIS_PORT), access.for_client(), connection_class, options)


_TOPOLOGIES: dict[str, Callable[[URL, Option, Access], Topology]] = {
    "redis": _server,
    "rediss": _server,
    "unix": _socket,
    "redis+unix": _socket,
    "redis+sentinel": _sentinel,
    "rediss+sentinel": _sentinel,
    "redis+cluster": _cluster,
    "rediss+cluster": _cluster,
}


def _connection_options(url: URL, option: Option) -> dict[str, Any]:
    return {
        "username": url.user or None,
        "password": url.password or None,
        "socket_timeout": option("socket_timeout", seconds, TIMEOUT),
        "socket_connect_timeout": option("socket_connect_timeout", seconds, TIMEOUT),
        "client_name": option("client_name", str, None),
    }


def _tls(option: Option) -> dict[str, Any]:
    return {
        "ssl_ca_certs": option("ssl_ca_certs", str, None),
        "ssl_certfile": option("ssl_certfile", str, None),
        "ssl_keyfile": option("ssl_keyfile", str, None),
        "ssl_cert_reqs": option("ssl_cert_reqs", _requirement, "required"),
        "ssl_check_hostname": option("ssl_check_hostname", yes_or_no, True),
    }


def _database(url: URL, option: Option, path: str) -> dict[str, int]:
    text = path.strip("/")
    if text and not text.isdecimal():
        raise InvalidURL(f"{url}: database {text!r} is no number; expected something like /0")
    return {"db": option("db", _number, int(text or 0))}


def _hosts(url: URL, default_port: int) -> list[Place]:
    hosts = []
    for text in url.netloc.rpartition("@")[2].split(","):
        match = _HOST.fullmatch(text)
        if match is None:
            raise InvalidURL(f"{url}: {text!r} is no host; expected HOST or HOST:PORT")
        hosts.append((match["host"].strip("[]"), int(match["port"] or default_port)))
    return hosts


def seconds(text: str) -> float:
    """Convert an option that is a time: a number of seconds above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("expected a number of seconds above 0")
    return value


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("expected a number")
    return int(text)


def _requirement(text: str) -> str:
    if text not in {"required", "optional", "none"}:
        raise ValueError("expected required, optional or none")
    return text
