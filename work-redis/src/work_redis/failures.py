"""Errors of redis-py as errors of this project."""

from __future__ import annotations

from redis import exceptions as redis

from work_core.errors import BackendError, BackendUnavailable

FAILURES = (redis.RedisError, redis.RedisClusterException, OSError)
"""What redis-py raises for a call that failed."""

REFUSED = (redis.MovedError, redis.ReadOnlyError)
"""The wrong server was asked: it did nothing, so the call may be sent again to the right one."""

_PERMANENT = (redis.AuthenticationError, redis.AuthorizationError, redis.NoPermissionError)
_PASSING = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.MasterDownError,
    redis.ClusterDownError,
    redis.TryAgainError,
    redis.AskError,
    redis.MovedError,
    redis.OutOfMemoryError,
    redis.RedisClusterException,
    OSError,
)


def may_pass(error: Exception) -> bool:
    """Tell whether the same call may succeed later."""
    return isinstance(error, _PASSING) and not isinstance(error, _PERMANENT)


def translate(error: Exception, server: str) -> BackendError:
    """Return the error to raise ``from`` *error*; *server* is the URL without its secrets."""
    kind = BackendUnavailable if may_pass(error) else BackendError
    return kind(f"{server}: {str(error) or type(error).__name__}")
