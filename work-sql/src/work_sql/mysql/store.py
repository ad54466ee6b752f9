"""The statements of MySQL and MariaDB."""

from __future__ import annotations

import threading
import time
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

import pymysql  # type: ignore[import-untyped]

from work_core.errors import BackendError, PayloadTooLarge
from work_sql.mysql import errors, schema
from work_sql.mysql.connections import Connections
from work_sql.mysql.statements import COUNT_LIMIT, Statements
from work_sql.rows import set_aside_key
from work_sql.store import Counts, Fetch, Health, Place, Store
from work_sql.transactions import sqlalchemy_connection, sqlalchemy_errors, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from work_core.errors import WorkError
    from work_sql.doorbell import Doorbell
    from work_sql.rows import Pair, Row

T = TypeVar("T")

_BATCH = 1000
_ATTEMPTS = 10
_EXPIRE_APART = 1.0
_ROW_OVERHEAD = 4096  # what a statement has beside the payload
_ESCAPED = b"\0\n\r\x1a\"'\\"  # bytes of which PyMySQL makes two


class MySQLStore(Store):
    """Jobs in a table of MySQL 8 or MariaDB 10.6, and later ones.

    Other processes are heard of by polling.

    Args:
        parameters: how to connect, as PyMySQL names it.
        table: the name of the job table.
        name: what error messages call the database; holds no password.
        pool_size: how many connections are kept.
        create: whether missing tables are made at the first use.
    """

    errors = (pymysql.Error, UnicodeError)

    def __init__(
        self, parameters: Mapping[str, Any], table: str, name: str, *, pool_size: int, create: bool
    ) -> None:
        self._connections = Connections(parameters, pool_size)
        self._table = table
        self._name = name
        self._create = create
        self._sql = Statements(table)
        self._preparing = threading.Lock()
        self._prepared = False
        self._packet_limit = 0
        self._next_expiry = 0.0

    def translate(self, error: BaseException) -> WorkError:
        """Return what *error* means, naming the database."""
        return errors.translate(error, self._name)

    def upsert(self, namespace: str, key: str, rows: Sequence[Row], connection: object) -> None:
        """Write all rows in one transaction; PyMySQL makes multi-row inserts of them."""
        self._prepare()
        self._refuse_too_large(rows)
        values = [(namespace, key, *row) for row in rows]
        if connection is not None:
            _on_callers(connection, self._sql.upsert, values)
            return
        self._run(lambda cursor: cursor.executemany(self._sql.upsert, values))

    def exchange(
        self, namespace: str, pairs: Sequence[Pair], fetch: Fetch | None
    ) -> tuple[int, Sequence[Row]]:
        """Remove, then lease, in one transaction: what it locks last it never waits for."""

        def work(cursor: Any) -> tuple[int, Sequence[Row]]:
            removed = sum(
                cursor.execute(self._sql.remove, values) for values in _held(namespace, pairs)
            )
            return removed, () if fetch is None else self._lease(cursor, namespace, fetch)

        return self._run(work)

    def remove(self, namespace: str, pairs: Sequence[Pair], connection: object) -> int:
        """Delete one by one: the caller's connection may be of any driver."""
        self._prepare()
        return sum(
            _on_callers(connection, self._sql.remove_one, (namespace, *pair)).rowcount
            for pair in pairs
        )

    def present(self, namespace: str, ids: Sequence[str], connection: object) -> set[str]:
        """Look all ids up at once, or one by one on the caller's connection."""
        if connection is not None:
            values = ((namespace, identity) for identity in ids)
            found = (
                _on_callers(connection, self._sql.present_one, one).fetchone() for one in values
            )
            return {_text(row[0]) for row in found if row is not None}
        return self._run(
            lambda cursor: _ids(cursor, self._sql.present, ((namespace, b) for b in _batches(ids)))
        )

    def rewrite(
        self, namespace: str, key: str, rows: Sequence[Row], tokens: Sequence[int]
    ) -> set[str]:
        """Update the rows one by one in one transaction."""

        def work(cursor: Any) -> set[str]:
            written = set()
            for row, token in zip(rows, tokens, strict=True):
                due, identity, *rest, _deliveries = row
                values = (key, due, *rest, identity, namespace, token)
                if cursor.execute(self._sql.rewrite, values):
                    written.add(identity)
            return written

        return self._run(work)

    def prolong(self, namespace: str, pairs: Sequence[Pair], until: int) -> set[str]:
        """Lock the rows that are still held, then update them."""

        def work(cursor: Any) -> set[str]:
            held = _ids(cursor, self._sql.held, _held(namespace, pairs))
            for batch in _batches(sorted(held)):
                cursor.execute(self._sql.prolong, (until, namespace, batch))
            return held

        return self._run(work)

    def set_aside(self, namespace: str, key: str, ids: Sequence[str]) -> None:
        """Change the queue key of the rows."""
        values = (set_aside_key(key), namespace, list(ids), key)
        self._run(lambda cursor: cursor.execute(self._sql.set_aside, values))

    def next_due(self, key: str, at: int) -> int | None:
        """Look at the next rows only."""
        due: int | None = self._one(self._sql.next_due, (key, key, at))[0]
        return due

    def find(self, namespace: str, key: str, ids: Sequence[str]) -> Sequence[Row]:
        """Look all ids up, a batch at a time."""

        def work(cursor: Any) -> list[Row]:
            rows: list[Row] = []
            for batch in _batches(ids):
                cursor.execute(self._sql.find, (namespace, batch, key))
                rows += map(_row, cursor.fetchall())
            return rows

        return self._run(work, statements=1)

    def delete(self, namespace: str, key: str, ids: Sequence[str]) -> set[str]:
        """Lock the rows that are in the queue, then delete them."""

        def work(cursor: Any) -> set[str]:
            values = ((namespace, batch, key) for batch in _batches(sorted(ids)))
            found = _ids(cursor, self._sql.found, values)
            for batch in _batches(sorted(found)):
                cursor.execute(self._sql.delete, (namespace, batch))
            return found

        return self._run(work)

    def count(self, key: str, at: int) -> Counts:
        """Count the first 10,001 rows."""
        total, ready = map(int, self._one(self._sql.count, (at, at, key)))
        oldest = self._one(self._sql.oldest, (key, at, at))
        due = None if oldest is None else oldest[0]
        return Counts(ready, total - ready, due, total <= COUNT_LIMIT)

    def keys(self, prefix: str) -> list[str]:
        """Step from key to key through the index."""
        found: list[str] = []
        key = prefix
        while True:
            row = self._one(self._sql.next_key, (key,))
            if row[0] is None or not (key := _text(row[0])).startswith(prefix):
                return found
            found.append(key)

    def page(self, key: str, after: Place, limit: int) -> Sequence[Row]:
        """Read on in the due index."""

        def work(cursor: Any) -> list[Row]:
            cursor.execute(self._sql.page, (key, after.due, after.due, after.id, limit))
            return [_row(row) for row in cursor.fetchall()]

        return self._run(work, statements=1)

    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: int, until: int
    ) -> bool:
        """Lock the key's slot, drop what has expired, and insert if there is room."""
        slot = zlib.crc32(f"{namespace}:{key}".encode()) % schema.SLOTS

        def work(cursor: Any) -> bool:
            cursor.execute(self._sql.lock_slot, (slot,))
            cursor.execute(self._sql.expire_places, (namespace, key, at))
            cursor.execute(self._sql.others, (namespace, key, holder))
            if cursor.fetchone()[0] >= limit:
                return False
            cursor.execute(self._sql.acquire, (namespace, key, holder, until))
            return True

        return self._run(work)

    def release(self, namespace: str, key: str, holder: str) -> None:
        """Delete the place."""
        self._run(lambda cursor: cursor.execute(self._sql.release, (namespace, key, holder)))

    def claim(self, namespace: str, key: str, owner: str, *, at: int, until: int) -> str:
        """Insert, or take over what has expired; now and then clear away what nobody asks for."""

        def work(cursor: Any) -> str:
            cursor.execute(self._sql.claim, (namespace, key, owner, until, at, at))
            cursor.execute(self._sql.owner, (namespace, key))
            return _text(cursor.fetchone()[0])

        holder = self._run(work)
        if time.monotonic() >= self._next_expiry:
            self._next_expiry = time.monotonic() + _EXPIRE_APART
            self._run(lambda cursor: cursor.execute(self._sql.expire_claims, (at,)))
        return holder

    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Delete the claim."""
        values = (namespace, key, owner)
        return self._run(lambda cursor: bool(cursor.execute(self._sql.forget, values)))

    def watch(self, doorbell: Doorbell) -> None:
        """Do nothing: there is no way to listen."""

    def migrate(self) -> tuple[int, int]:
        """Run what is missing; each statement is harmless when it was run before."""
        before = self._version()
        if before > len(schema.VERSIONS):
            raise self._wrong_version(before)
        with self._connections.cursor() as cursor:
            for statement in schema.statements(self._table, before):
                cursor.execute(statement)
        return before, len(schema.VERSIONS)

    def migration_script(self, after: int) -> str:
        """Return the statements; MySQL commits with each."""
        return "".join(f"{one};\n\n" for one in schema.statements(self._table, after))

    def health(self) -> Health:
        """Return the sizes as the statistics have them."""
        row = self._one(
            "SELECT data_length, index_length, table_rows FROM information_schema.tables "
            "WHERE table_schema = database() AND table_name = %s",
            (self._table,),
        )
        names = ("table_bytes", "index_bytes", "live_rows")
        return Health(dict(zip(names, row or (0, 0, 0), strict=True)))

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _lease(self, cursor: Any, namespace: str, fetch: Fetch) -> list[Row]:
        due, identity = fetch.floor
        values = (fetch.key, due, due, identity, fetch.at, fetch.at, fetch.limit)
        cursor.execute(self._sql.due, values)
        rows = [(*row[:-1], row[-1] + 1) for row in map(_row, cursor.fetchall())]
        for batch in _batches([row[1] for row in rows]):
            cursor.execute(self._sql.lease, (fetch.until, fetch.token, namespace, batch))
        return rows

    def _one(self, statement: str, values: tuple[Any, ...]) -> Any:
        def work(cursor: Any) -> Any:
            cursor.execute(statement, values)
            return cursor.fetchone()

        return self._run(work, statements=1)

    def _run(self, work: Callable[[Any], T], *, statements: int = 2) -> T:
        """Run *work* in a transaction; one statement is a transaction by itself."""
        self._prepare()
        connections = self._connections
        opened = connections.transaction if statements > 1 else connections.cursor
        for _ in range(_ATTEMPTS):
            try:
                with opened() as cursor:
                    return work(cursor)
            except pymysql.Error as error:
                if not errors.may_repeat(error):
                    raise
        with opened() as cursor:
            return work(cursor)

    def _prepare(self) -> None:
        """Look at the schema, once per process."""
        if self._prepared:
            return
        with self._preparing:
            found = self._version()
            if not found and self._create:
                self.migrate()
            elif found != len(schema.VERSIONS):
                raise self._wrong_version(found)
            with self._connections.cursor() as cursor:
                cursor.execute("SELECT @@max_allowed_packet")
                self._packet_limit = cursor.fetchone()[0]
            self._prepared = True

    def _refuse_too_large(self, rows: Sequence[Row]) -> None:
        # The server's own answer to a packet that is too large is to close the connection.
        for _, identity, *_, payload, last_error, _ in rows:
            size = len(payload) + len(last_error) + _ROW_OVERHEAD
            if size > self._packet_limit // 2:
                size += sum(payload.count(byte) for byte in _ESCAPED)
            if size > self._packet_limit:
                raise PayloadTooLarge(
                    f"job {identity!r} takes {size:,} bytes, the server's max_allowed_packet is "
                    f"{self._packet_limit:,}"
                )

    def _version(self) -> int:
        with self._connections.cursor() as cursor:
            cursor.execute("SHOW TABLES LIKE %s", (f"{self._table}_meta".replace("_", r"\_"),))
            if cursor.fetchone() is None:
                return 0
            cursor.execute(self._sql.version)
            return int(cursor.fetchone()[0])

    def _wrong_version(self, found: int) -> BackendError:
        needed = len(schema.VERSIONS)
        advice = "update work-sql" if found > needed else "run: work sql migrate"
        return BackendError(
            f"{self._name}: the tables have version {found}, this package needs {needed}; {advice}"
        )


def _on_callers(
    connection: object, statement: str, values: tuple[Any, ...] | list[tuple[Any, ...]]
) -> Any:
    """Run *statement*, once or for each of a list of values, on the caller's *connection*."""
    if isinstance(connection, pymysql.Connection):
        cursor = connection.cursor()
        if isinstance(values, list):
            cursor.executemany(statement, values)
        else:
            cursor.execute(statement, values)
        return cursor
    with sqlalchemy_errors():
        found = sqlalchemy_connection(connection)
        if found is None or found.dialect.name not in {"mysql", "mariadb"}:
            raise unusable(connection, "a pymysql.Connection")
        return found.exec_driver_sql(statement, values)


def _batches(ids: Sequence[str]) -> Iterable[list[str]]:
    return (list(ids[i : i + _BATCH]) for i in range(0, len(ids), _BATCH))


def _held(namespace: str, pairs: Sequence[Pair]) -> Iterable[tuple[Any, ...]]:
    for i in range(0, len(pairs), _BATCH):
        batch = list(pairs[i : i + _BATCH])
        yield namespace, [identity for identity, _ in batch], batch


def _ids(cursor: Any, statement: str, batches: Iterable[tuple[Any, ...]]) -> set[str]:
    found: set[str] = set()
    for values in batches:
        cursor.execute(statement, values)
        found.update(_text(row[0]) for row in cursor.fetchall())
    return found


def _row(row: Row) -> Row:
    due, identity, *rest = row
    return (due, _text(identity), *rest)


def _text(key: bytes) -> str:
    return key.decode()
