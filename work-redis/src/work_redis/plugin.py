"""The entry point of redis://, rediss:// and unix://."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.hookspecs import hookimpl

from work_redis.backend import RedisBackend
from work_redis.opening import open_redis

if TYPE_CHECKING:
    from work_core.backend import Backend


@hookimpl
def work_open_backend(url: str) -> Backend:
    """Open the backend that *url* names."""
    return open_redis(url)


@hookimpl
def work_backend_class(scheme: str) -> type[Backend]:  # noqa: ARG001 - one class for all schemes
    """Return the class behind the scheme."""
    return RedisBackend
