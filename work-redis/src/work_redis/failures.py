"""Errors of redis-py as errors of this project."""

from __future__ import annotations

import re

from redis import exceptions as redis

from work_core.errors import BackendError, BackendUnavailable

FAILURES = (redis.RedisError, redis.RedisClusterException, OSError)
"""What redis-py raises for a call that failed."""

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


# Before Redis 7 an error within a script is told in the text of another one.
_PASSING_CODE = re.compile(
    r"(^|-)(READONLY|OOM|MISCONF|NOREPLICAS|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN) "
)


def may_pass(error: Exception) -> bool:
    """Tell whether the same call may succeed later."""
    if isinstance(error, redis.ResponseError) and _PASSING_CODE.search(str(error)):
        return True
    return isinstance(error, _PASSING) and not isinstance(error, _PERMANENT)


def was_refused(error: Exception) -> bool:
    """Tell whether the wrong server was asked: it did nothing, so the right one may be asked."""
    return isinstance(error, (redis.MovedError, redis.ReadOnlyError)) or "-READONLY " in str(error)


def translate(error: Exception, server: str) -> BackendError:
    """Return the error to raise ``from`` *error*; *server* is the URL without its secrets."""
    kind = BackendUnavailable if may_pass(error) else BackendError
    return kind(f"{server}: {str(error) or type(error).__name__}")
