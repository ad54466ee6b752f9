"""Enqueue and ack in a transaction of the caller."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from work_sql.transactions import (
    sqlalchemy_connection,
    sqlalchemy_errors,
    sqlalchemy_session,
    unusable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# A NOTIFY holds a database-wide lock while its transaction commits: not more often than this.
_NOTIFY_APART = 0.1


class Statement(NamedTuple):
    """One statement in the two ways of writing its parameters."""

    psycopg: str
    sqlalchemy: str


def run(connection: object, statement: Statement, values: Mapping[str, Any]) -> Result:
    """Run *statement* on the caller's *connection*: never begin, commit, roll back or retry."""
    if isinstance(connection, psycopg.Connection):
        cursor = connection.cursor()
        cursor.execute(statement.psycopg.encode(), values)
        return Result(cursor.rowcount, cursor.fetchall() if cursor.description else [])
    with sqlalchemy_errors():
        found = sqlalchemy_connection(connection)
        if found is None or found.dialect.name != "postgresql":
            raise unusable(connection, "a psycopg.Connection")
        from sqlalchemy import text

        done = found.execute(text(statement.sqlalchemy), dict(values))
        return Result(done.rowcount, done.all() if done.returns_rows else [])


class Result(NamedTuple):
    """How many rows a statement touched, and which it returned."""

    touched: int
    rows: Sequence[Any]


class Announcements:
    """Announce jobs of a caller's transaction, when it commits or within it."""

    def __init__(self, channel: Callable[[], str], ring: Callable[[str], None]) -> None:
        self._channel = channel
        self._ring = ring
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def promise(self, connection: object, key: str) -> None:
        """See to it that queue *key* is announced if the caller commits."""
        session = sqlalchemy_session(connection)
        if session is not None:
            from sqlalchemy import event

            event.listen(session, "after_commit", lambda _: self._ring(key), once=True)
        elif self._is_time(key):
            # The commit event of a bare connection comes before the commit: a wake-up too early.
            run(connection, _NOTIFY, {"channel": self._channel(), "key": key})

    def _is_time(self, key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(key, 0.0) < _NOTIFY_APART:
                return False
            self._last[key] = now
            return True


_NOTIFY = Statement(
    "SELECT pg_notify(%(channel)s::text, %(key)s::text)",
    "SELECT pg_notify(CAST(:channel AS text), CAST(:key AS text))",
)
