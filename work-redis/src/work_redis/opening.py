"""From a URL to a backend."""

from __future__ import annotations

from redis.connection import Connection
from work_core.url import parse_url

from work_redis.backend import RedisBackend
from work_redis.client import Client
from work_redis.topology import SingleServer


def open_redis(url: str) -> RedisBackend:
    """Open the backend that *url* names; the server is first asked at the first call.

    Raises:
        InvalidURL: for a part or an option that is wrong.
    """
    parts = parse_url(url)
    with parts.options() as option:
        timeout = option("socket_timeout", float, 5.0)
    options = {
        "host": parts.host or "localhost",
        "port": parts.port or 6379,
        "db": int(parts.path.strip("/") or 0),
        "username": parts.user or None,
        "password": parts.password or None,
        "socket_timeout": timeout,
        "protocol": 3,
    }
    return RedisBackend(Client(SingleServer(Connection, options), str(parts)))
