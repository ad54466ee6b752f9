"""Run statements in a transaction of the caller, whatever kind of connection holds it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from work_core.errors import BackendError, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


def sqlalchemy_session(connection: Any) -> Any:
    """Return the ORM ``Session`` in *connection*, also in a scoped or async one, else ``None``.

    It is told by what it can do, so that a program without SQLAlchemy never imports it.
    """
    if not _is_sqlalchemy(connection):
        return None
    connection = getattr(connection, "sync_session", connection)
    if hasattr(connection, "registry"):  # a scoped_session: the one of this thread
        connection = connection.registry()
    return connection if hasattr(connection, "get_bind") else None


def sqlalchemy_connection(connection: Any) -> Any:
    """Return the SQLAlchemy ``Connection`` behind *connection*, else ``None``."""
    if not _is_sqlalchemy(connection):
        return None
    session = sqlalchemy_session(connection)
    if session is not None:
        return session.connection()
    connection = getattr(connection, "sync_connection", connection)
    return connection if hasattr(connection, "exec_driver_sql") else None


def _is_sqlalchemy(connection: object) -> bool:
    return any(base.__module__.startswith("sqlalchemy.") for base in type(connection).__mro__)


@contextmanager
def sqlalchemy_errors() -> Iterator[None]:
    """Raise SQLAlchemy's errors as ours, without the parameters that they print."""
    try:
        yield
    except Exception as error:
        if not _is_sqlalchemy(error):
            raise
        if type(error).__name__ == "MissingGreenlet":
            raise BackendError(
                "an async session was used outside of its run_sync; "
                "await aenqueue(), or session.run_sync(...)"
            ) from error
        lost = getattr(error, "connection_invalidated", False)
        kind = BackendUnavailable if lost else BackendError
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise kind(f"the statement failed in the caller's transaction: {reason}") from error


def unusable(connection: object, expected: str) -> BackendError:
    """Return the error for a *connection* of a wrong kind."""
    kind = type(connection)
    return BackendError(
        f"connection= got a {kind.__module__}.{kind.__qualname__}; pass an SQLAlchemy Session, "
        f"Connection or AsyncSession (inside run_sync), or {expected}"
    )
