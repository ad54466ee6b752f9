"""The connections of one process to one MySQL or MariaDB database."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymysql  # type: ignore[import-untyped]
from pymysql.constants import CLIENT  # type: ignore[import-untyped]

from work_sql.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_IDLE_BEFORE_PING = 1.0

# READ COMMITTED: the default would lock the gaps between rows, and with them other queues.
_SESSION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"


class Connections:
    """A pool of connections, each used for one transaction at a time."""

    def __init__(self, parameters: Mapping[str, Any], pool_size: int) -> None:
        self._parameters = parameters
        self._pool: Pool[Any] = Pool(
            self._connect, size=pool_size, ended=_ended, broken=lambda one: not one.open
        )

    def _connect(self) -> Any:
        connection = pymysql.connect(
            **self._parameters,
            charset="utf8mb4",
            autocommit=True,
            init_command=_SESSION,
            client_flag=CLIENT.FOUND_ROWS,  # count the rows that were matched, changed or not
        )
        connection.work_used_at = time.monotonic()
        return connection

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Yield a cursor whose statements commit one by one."""
        with self._pool.connection() as connection:
            try:
                with connection.cursor() as cursor:
                    yield cursor
            finally:
                connection.work_used_at = time.monotonic()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Yield a cursor within a transaction that is committed at the end, or rolled back."""
        with self.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if cursor.connection.open:
                    _roll_back(cursor)
                raise

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _roll_back(cursor: Any) -> None:
    try:
        cursor.execute("ROLLBACK")
    except pymysql.Error:
        cursor.connection.close()  # the server rolls back what nobody commits


def _ended(connection: Any) -> bool:
    if not connection.open:
        return True
    if time.monotonic() - connection.work_used_at < _IDLE_BEFORE_PING:
        return False
    try:
        connection.ping(reconnect=False)
    except pymysql.Error:
        return True
    return False
