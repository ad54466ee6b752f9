"""Run statements in a transaction of the caller, whatever kind of connection holds it."""

from __future__ import annotations

from typing import Any

from work_core.errors import BackendError


def sqlalchemy_connection(connection: Any) -> Any:
    """Return the SQLAlchemy ``Connection`` behind a session or connection of SQLAlchemy, else ``None``.

    It is told by what it can do, so that a program without SQLAlchemy never imports it.
    """
    if not any(base.__module__.startswith("sqlalchemy.") for base in type(connection).__mro__):
        return None
    for sync in ("sync_session", "sync_connection"):
        connection = getattr(connection, sync, connection)
    if hasattr(connection, "exec_driver_sql"):
        return connection
    if hasattr(connection, "connection") and hasattr(connection, "get_bind"):
        return connection.connection()
    return None


def unusable(connection: object, expected: str) -> BackendError:
    """Return the error for a *connection* of a wrong kind."""
    kind = type(connection)
    return BackendError(
        f"connection= got a {kind.__module__}.{kind.__qualname__}; pass an SQLAlchemy Session, "
        f"Connection or AsyncSession (inside run_sync), or {expected}"
    )
