"""The entry point of all schemes of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.hookspecs import hookimpl
from work_core.url import parse_url
from work_redis.backend import RedisBackend
from work_redis.opening import open_client
from work_redis.scores import EXACT, WHOLE_SECONDS
from work_redis.sidekiq import SidekiqBackend

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.url import URL
    from work_redis.scores import Scores


@hookimpl
def work_open_backend(url: str) -> Backend:
    """Open the backend that *url* names."""
    parts = parse_url(url)
    if parts.owner == "sidekiq":
        return _open_sidekiq(parts)
    with parts.options() as option:
        scores = option("compat", _compat, EXACT)
        client = open_client(parts, parts.scheme, option)
    return RedisBackend(client, scores)


@hookimpl
def work_backend_class(scheme: str) -> type[Backend]:
    """Return the class behind *scheme*."""
    return SidekiqBackend if scheme.partition("+")[0] == "sidekiq" else RedisBackend


def _open_sidekiq(url: URL) -> Backend:
    # What follows the + says how the servers are reached: sidekiq+rediss://, sidekiq+unix:// ...
    transport = url.scheme.partition("+")[2] or "redis"
    with url.options() as option:
        return SidekiqBackend(open_client(url, transport, option))


def _compat(text: str) -> Scores:
    if text != "go":
        raise ValueError("expected go")
    return WHOLE_SECONDS
