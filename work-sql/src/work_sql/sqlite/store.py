"""The statements of SQLite on one file, which any number of processes share."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from work_core.errors import BackendError, BackendUnavailable, PayloadTooLarge, WorkError
from work_sql.rows import set_aside_key
from work_sql.sqlite.connections import Connections, is_busy
from work_sql.sqlite.statements import COUNT_LIMIT, SCHEMA_VERSION, Statements
from work_sql.sqlite.watch import Watch
from work_sql.store import Counts, Fetch, Health, Place, Store
from work_sql.transactions import sqlalchemy_connection, sqlalchemy_errors, unusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from work_sql.doorbell import Doorbell
    from work_sql.rows import Pair, Row

_TOO_BIG = {sqlite3.SQLITE_TOOBIG}
_COMES_BACK = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
}


class SQLiteStore(Store):
    """Jobs in a file. The schema is created at the first use."""

    errors = (sqlite3.Error, OverflowError, UnicodeError)
    resolution = 0.0

    def __init__(self, path: str, *, table: str, synchronous: str, timeout: float) -> None:
        self._sql = Statements(table)
        self._connections = Connections(path, synchronous=synchronous, timeout=timeout)
        self._schema_lock = threading.Lock()
        self._has_schema = False
        self._watcher: Watch | None = None

    def translate(self, error: BaseException) -> WorkError:
        """Return what *error* means, naming the file."""
        path = self._connections.path
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if isinstance(error, OverflowError) or code in _TOO_BIG:
            return PayloadTooLarge(f"{path}: SQLite cannot hold the job: {error}")
        if code == sqlite3.SQLITE_CANTOPEN:
            return BackendError(
                f"{path} cannot be opened: does its directory exist, and may you write there?"
            )
        if isinstance(error, sqlite3.OperationalError) and is_busy(error):
            return BackendUnavailable(f"{path} has been locked by another process for too long")
        kind = BackendUnavailable if code in _COMES_BACK else BackendError
        return kind(f"{path}: {error}")

    def poll(self, idle: float) -> float:  # noqa: ARG002 - the watch sees every commit
        """Look once a second, for leases that end."""
        return 1.0

    def upsert(self, namespace: str, key: str, rows: Sequence[Row], connection: object) -> None:
        """Write all *rows* in one transaction."""
        values = [(namespace, key, *row) for row in rows]
        if connection is None:
            with self._writing() as writer:
                writer.executemany(self._sql.upsert, values)
        else:
            self._create_schema_on(connection)
            _execute(connection, self._sql.upsert, values)

    def exchange(
        self, namespace: str, pairs: Sequence[Pair], fetch: Fetch | None
    ) -> tuple[int, Sequence[Row]]:
        """Remove and lease in one transaction; looking in vain takes no write lock."""
        if not pairs and (fetch is None or not self._anything_due(fetch)):
            return 0, ()
        removed = 0
        rows: list[Row] = []
        with self._writing() as writer:
            if pairs:
                values = [(identity, namespace, token) for identity, token in pairs]
                removed = writer.executemany(self._sql.remove, values).rowcount
            if fetch is not None:
                rows = self._lease(writer, fetch)
        return removed, rows

    def remove(self, namespace: str, pairs: Sequence[Pair], connection: object) -> int:
        """Delete one by one: the caller's connection may be of any driver."""
        self._create_schema_on(connection)
        values = [(identity, namespace, token) for identity, token in pairs]
        removed: int = _execute(connection, self._sql.remove, values).rowcount
        return removed

    def present(self, namespace: str, ids: Sequence[str], connection: object) -> set[str]:
        """Look each id up."""
        if connection is None:
            with self._reading() as reader:
                return self.present(namespace, ids, reader)
        return {
            identity
            for identity in ids
            if _execute(connection, self._sql.present, (identity, namespace)).fetchone()
        }

    def rewrite(
        self, namespace: str, key: str, rows: Sequence[Row], tokens: Sequence[int]
    ) -> set[str]:
        """Update the rows one by one in one transaction."""
        written = set()
        with self._writing() as writer:
            for row, token in zip(rows, tokens, strict=True):
                due, identity, *rest, _deliveries = row
                values = (key, due, *rest, identity, namespace, token)
                if writer.execute(self._sql.rewrite, values).rowcount:
                    written.add(identity)
        return written

    def prolong(self, namespace: str, pairs: Sequence[Pair], until: int) -> set[str]:
        """Update the rows one by one in one transaction."""
        with self._writing() as writer:
            return {
                identity
                for identity, token in pairs
                if writer.execute(self._sql.prolong, (until, identity, namespace, token)).rowcount
            }

    def set_aside(self, namespace: str, key: str, ids: Sequence[str]) -> None:
        """Change the queue key of the rows."""
        values = [(set_aside_key(key), identity, namespace, key) for identity in ids]
        with self._writing() as writer:
            writer.executemany(self._sql.set_aside, values)

    def next_due(self, key: str, at: int) -> int | None:
        """Look at the next rows only."""
        with self._reading() as reader:
            due: int | None = reader.execute(self._sql.next_due, (key, key, at)).fetchone()[0]
            return due

    def find(self, namespace: str, key: str, ids: Sequence[str]) -> Sequence[Row]:
        """Look each id up."""
        with self._reading() as reader:
            found = (
                reader.execute(self._sql.find, (identity, namespace, key)).fetchone()
                for identity in ids
            )
            return [row for row in found if row is not None]

    def delete(self, namespace: str, key: str, ids: Sequence[str]) -> set[str]:
        """Delete the rows one by one in one transaction."""
        with self._writing() as writer:
            return {
                identity
                for identity in ids
                if writer.execute(self._sql.delete, (identity, namespace, key)).rowcount
            }

    def count(self, key: str, at: int) -> Counts:
        """Count the first 10,001 rows."""
        with self._reading() as reader:
            total, ready = reader.execute(self._sql.count, (at, at, key)).fetchone()
            oldest = reader.execute(self._sql.oldest, (key, at, at)).fetchone()
        due = None if oldest is None else oldest[0]
        return Counts(ready, total - ready, due, total <= COUNT_LIMIT)

    def keys(self, prefix: str) -> list[str]:
        """Step from key to key through the index."""
        found: list[str] = []
        with self._reading() as reader:
            key = prefix
            while True:
                key = reader.execute(self._sql.next_key, (key,)).fetchone()[0]
                if key is None or not key.startswith(prefix):
                    return found
                found.append(key)

    def page(self, key: str, after: Place, limit: int) -> Sequence[Row]:
        """Read on in the due index."""
        with self._reading() as reader:
            return reader.execute(self._sql.page, (key, *after, limit)).fetchall()

    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: int, until: int
    ) -> bool:
        """Drop what has expired, then insert if there is room."""
        with self._writing() as writer:
            writer.execute(self._sql.expire_places, (namespace, key, at))
            values = (namespace, key, holder, until, limit)
            return writer.execute(self._sql.acquire, values).rowcount > 0

    def release(self, namespace: str, key: str, holder: str) -> None:
        """Delete the place."""
        with self._writing() as writer:
            writer.execute(self._sql.release, (namespace, key, holder))

    def claim(self, namespace: str, key: str, owner: str, *, at: int, until: int) -> str:
        """Insert, or take over what has expired; clear away some of what nobody asks for."""
        with self._writing() as writer:
            values = (namespace, key, owner, until, at)
            holder: str = writer.execute(self._sql.claim, values).fetchone()[0]
            writer.execute(self._sql.expire_claims, (at,))
            return holder

    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Delete the claim."""
        with self._writing() as writer:
            return writer.execute(self._sql.forget, (namespace, key, owner)).rowcount > 0

    def watch(self, doorbell: Doorbell) -> None:
        """Start the thread that sees commits of other processes."""
        self._watcher = Watch(self._connections, doorbell)

    def migrate(self) -> tuple[int, int]:
        """Create the tables where there are none."""
        with self._connections.reading() as reader:
            before = 1 if reader.execute(self._sql.has_schema).fetchone() else 0
        self._create_schema()
        return before, SCHEMA_VERSION

    def migration_script(self, after: int) -> str:
        """Return the statements that create the tables."""
        return "" if after else "".join(f"{statement};\n\n" for statement in self._sql.schema)

    def health(self) -> Health:
        """Return the size of the file."""
        with self._reading() as reader:
            pages, size, free = (
                reader.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size", "freelist_count")
            )
        return Health({"file_bytes": pages * size, "free_bytes": free * size})

    def close(self) -> None:
        """Stop the watch and close the connections."""
        if self._watcher is not None:
            self._watcher.stop()
        self._connections.close()

    def _anything_due(self, fetch: Fetch) -> bool:
        with self._reading() as reader:
            values = (fetch.key, *fetch.floor, fetch.at, fetch.at)
            return reader.execute(self._sql.anything_due, values).fetchone() is not None

    def _lease(self, writer: sqlite3.Connection, fetch: Fetch) -> list[Row]:
        values = (
            fetch.until,
            fetch.token,
            fetch.key,
            *fetch.floor,
            fetch.at,
            fetch.at,
            fetch.limit,
        )
        return writer.execute(self._sql.lease, values).fetchall()

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        if not self._has_schema:
            self._create_schema()
        return self._connections.writing()

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        if not self._has_schema:
            self._create_schema()
        return self._connections.reading()

    def _create_schema(self) -> None:
        with self._schema_lock:
            if self._has_schema:
                return
            with self._connections.reading() as reader:
                missing = reader.execute(self._sql.has_schema).fetchone() is None
            if missing:
                with self._connections.writing() as writer:
                    if writer.execute(self._sql.has_schema).fetchone() is None:
                        for statement in self._sql.schema:
                            writer.execute(statement)
            with self._connections.reading() as reader:
                self._check_version(reader.execute(self._sql.version).fetchone()[0])
            self._has_schema = True

    def _create_schema_on(self, connection: object) -> None:
        # The caller may hold the only write lock there is: the tables come with his transaction.
        if self._has_schema or _execute(connection, self._sql.has_schema, ()).fetchone():
            return
        for statement in self._sql.schema:
            _execute(connection, statement, ())

    def _check_version(self, version: int) -> None:
        if version != SCHEMA_VERSION:
            raise BackendError(
                f"{self._connections.path} has schema version {version}, this work-sql knows "
                f"{SCHEMA_VERSION}; install the work-sql that made the file"
            )


def _execute(
    connection: object, statement: str, values: tuple[Any, ...] | list[tuple[Any, ...]]
) -> Any:
    """Run *statement*, once or for each of a list of values, on the caller's *connection*."""
    if isinstance(connection, sqlite3.Connection):
        if isinstance(values, list):
            return connection.executemany(statement, values)
        return connection.execute(statement, values)
    with sqlalchemy_errors():
        found = sqlalchemy_connection(connection)
        if found is None or found.dialect.name != "sqlite":
            raise unusable(connection, "a sqlite3.Connection")
        return found.exec_driver_sql(statement, values)
