"""The statements of PostgreSQL."""

from __future__ import annotations

import os
import threading
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from work_sql.postgresql import errors, schema
from work_sql.postgresql.connections import Connections, Settings
from work_sql.postgresql.health import read_health
from work_sql.postgresql.listen import Listener
from work_sql.postgresql.notify import Notifier
from work_sql.postgresql.parameters import columns_of, pairs_of, values_of
from work_sql.postgresql.statements import BATCH, COUNT_LIMIT, Statements
from work_sql.postgresql.transactions import Announcements, Statement, run
from work_sql.postgresql.vacuum import Vacuum
from work_sql.rows import set_aside_key
from work_sql.store import Counts, Fetch, Health, Place, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from work_core.errors import WorkError
    from work_sql.doorbell import Doorbell
    from work_sql.postgresql.schema import Names
    from work_sql.rows import Pair, Row

T = TypeVar("T")

_ENQUEUE_BATCH = 1000
_ATTEMPTS = 5
_EXPIRE_APART = 1.0
_SOON = 2_000_000  # jobs due within this many microseconds are announced: nobody sleeps longer


class PostgresStore(Store):
    """Jobs in a table of PostgreSQL.

    Args:
        settings: how to connect. names: the tables. name: what error messages call the database;
        holds no password. create: whether missing tables are made at the first use. listen:
        connection parameters of the session that listens, where they differ; ``None`` to poll.
        vacuum: whether to vacuum while jobs flow fast.
    """

    errors = (psycopg.Error, UnicodeError)

    def __init__(
        self,
        settings: Settings,
        names: Names,
        name: str,
        *,
        create: bool,
        listen: Mapping[str, Any] | None,
        vacuum: bool,
    ) -> None:
        self._connections = Connections(settings)
        self._names = names
        self._name = name
        self._create = create
        self._listen = listen
        if listen is not None:
            self.resolution = 0.0  # who listens is told in time
        self._sql = Statements(names)
        self._preparing = threading.Lock()
        self._channel = ""
        self._notifier: Notifier | None = None
        self._listener: Listener | None = None
        self._doorbell: Doorbell | None = None
        self._announcements = Announcements(lambda: self._channel, self._committed)
        self._next_expiry = 0.0
        holder = f"{os.getpid()}-{uuid.uuid4().hex}"
        elect = partial(self._elect, holder)
        self._vacuum = Vacuum(self._connections, names, elect) if vacuum else None

    def translate(self, error: BaseException) -> WorkError:
        """Return what *error* means, naming the database."""
        return errors.translate(error, self._name)

    def poll(self, idle: float) -> float:
        """Look once a second while notifications come in, more often while they do not."""
        if self._listener is not None and self._listener.hears:
            return 1.0
        return super().poll(idle)

    def upsert(self, namespace: str, key: str, rows: Sequence[Row], connection: object) -> None:
        """Write a thousand rows per statement, all in one transaction."""
        batches = [rows[i : i + _ENQUEUE_BATCH] for i in range(0, len(rows), _ENQUEUE_BATCH)]
        if connection is not None:
            self._prepare()
            statement = Statement(self._sql.upsert, self._sql.upsert_for_sqlalchemy)
            for batch in batches:
                run(connection, statement, columns_of(namespace, key, batch))
            self._announcements.promise(connection, key)
            return

        def store(connection: psycopg.Connection) -> None:
            if len(batches) == 1:
                _execute(connection, self._sql.upsert, columns_of(namespace, key, rows))
                return
            with connection.transaction():
                for batch in batches:
                    _execute(connection, self._sql.upsert, columns_of(namespace, key, batch))

        self._run(self._connections.durable, store)

    def exchange(
        self, namespace: str, pairs: Sequence[Pair], fetch: Fetch | None
    ) -> tuple[int, Sequence[Row]]:
        """Remove and lease in one statement: one round trip and one commit."""
        removed = 0
        while len(pairs) > BATCH or (pairs and fetch is None):
            removed += self._remove(namespace, pairs[:BATCH])
            pairs = pairs[BATCH:]
        if fetch is None:
            return removed, ()
        values = fetch._asdict()
        values["floor_due"], values["floor_id"] = values.pop("floor")
        if not pairs:
            return removed, self._consume(self._sql.lease, values)
        values["namespace"] = namespace
        values["ids"], values["tokens"] = map(list, zip(*pairs, strict=True))
        rows = self._consume(self._sql.exchange, values)
        acked = rows[0][0]
        self._acked(acked)
        leased = [] if rows[0][1] is None else [row[1:] for row in rows]
        return removed + acked, leased

    def remove(self, namespace: str, pairs: Sequence[Pair], connection: object) -> int:
        """Delete the rows in the caller's transaction."""
        self._prepare()
        statement = Statement(self._sql.remove, self._sql.remove_for_sqlalchemy)
        return sum(
            run(connection, statement, pairs_of(namespace, pairs[i : i + BATCH])).touched
            for i in range(0, len(pairs), BATCH)
        )

    def present(self, namespace: str, ids: Sequence[str], connection: object) -> set[str]:
        """Look all ids up at once."""
        values = {"namespace": namespace, "ids": list(ids)}
        if connection is None:
            return {row[0] for row in self._consume(self._sql.present, values)}
        statement = Statement(self._sql.present, self._sql.present_for_sqlalchemy)
        return {row[0] for row in run(connection, statement, values).rows}

    def rewrite(
        self, namespace: str, key: str, rows: Sequence[Row], tokens: Sequence[int]
    ) -> set[str]:
        """Send one update per row in one pipeline, which is one transaction."""
        values = [
            values_of(namespace, key, row, token) for row, token in zip(rows, tokens, strict=True)
        ]

        def write(connection: psycopg.Connection) -> set[str]:
            cursor = connection.cursor()
            cursor.executemany(self._sql.rewrite.encode(), values, returning=True)
            written = set()
            for row in rows:
                if cursor.rowcount:
                    written.add(row[1])
                cursor.nextset()
            return written

        return self._run(self._connections.consuming, write)

    def prolong(self, namespace: str, pairs: Sequence[Pair], until: int) -> set[str]:
        """Update a batch per statement."""
        held: set[str] = set()
        for i in range(0, len(pairs), BATCH):
            values = {"until": until, **pairs_of(namespace, pairs[i : i + BATCH])}
            held.update(row[0] for row in self._consume(self._sql.prolong, values))
        return held

    def set_aside(self, namespace: str, key: str, ids: Sequence[str]) -> None:
        """Change the queue key of the rows."""
        values = {"namespace": namespace, "key": key, "aside": set_aside_key(key), "ids": list(ids)}
        self._write(self._sql.set_aside, values)

    def next_due(self, key: str, at: int) -> int | None:
        """Look at the next rows only."""
        due: int | None = self._consume(self._sql.next_due, {"key": key, "at": at})[0][0]
        return due

    def find(self, namespace: str, key: str, ids: Sequence[str]) -> Sequence[Row]:
        """Look all ids up at once."""
        values = {"namespace": namespace, "key": key, "ids": list(ids)}
        return self._consume(self._sql.find, values)

    def delete(self, namespace: str, key: str, ids: Sequence[str]) -> set[str]:
        """Delete all at once."""
        values = {"namespace": namespace, "key": key, "ids": sorted(ids)}
        return {row[0] for row in self._write(self._sql.delete, values)}

    def count(self, key: str, at: int) -> Counts:
        """Count the first 10,001 rows."""
        values = {"key": key, "at": at}
        total, ready = self._consume(self._sql.count, values)[0]
        oldest = self._consume(self._sql.oldest, values)
        due = oldest[0][0] if oldest else None
        return Counts(ready, total - ready, due, total <= COUNT_LIMIT)

    def keys(self, prefix: str) -> list[str]:
        """Step from key to key through the index."""
        return [row[0] for row in self._consume(self._sql.keys, {"prefix": prefix})]

    def page(self, key: str, after: Place, limit: int) -> Sequence[Row]:
        """Read on in the due index."""
        values = {"key": key, "due": after.due, "id": after.id, "limit": limit}
        return self._consume(self._sql.page, values)

    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: int, until: int
    ) -> bool:
        """Lock the key, drop what has expired, and insert if there is room."""
        values: dict[str, Any] = {"namespace": namespace, "key": key, "holder": holder}
        values |= {"limit": limit, "at": at, "until": until}

        def take(connection: psycopg.Connection) -> bool:
            with connection.pipeline(), connection.transaction():
                _execute(connection, self._sql.lock_places, values)
                _execute(connection, self._sql.expire_places, values)
                taken = _execute(connection, self._sql.acquire, values)
            return taken.rowcount > 0

        return self._run(self._connections.consuming, take)

    def release(self, namespace: str, key: str, holder: str) -> None:
        """Delete the place."""
        values = {"namespace": namespace, "key": key, "holder": holder}
        self._run(self._connections.consuming, lambda c: _execute(c, self._sql.release, values))

    def claim(self, namespace: str, key: str, owner: str, *, at: int, until: int) -> str:
        """Insert, or take over what has expired; now and then clear away what nobody asks for."""
        values = {"namespace": namespace, "key": key, "owner": owner, "at": at, "until": until}
        holder: str = self._write(self._sql.claim, values)[0][0]
        if time.monotonic() >= self._next_expiry:
            self._next_expiry = time.monotonic() + _EXPIRE_APART
            self._run(
                self._connections.consuming,
                lambda c: _execute(c, self._sql.expire_claims, {"at": at}),
            )
        return holder

    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Delete the claim."""
        values = {"namespace": namespace, "key": key, "owner": owner}
        return self._run(
            self._connections.durable, lambda c: _execute(c, self._sql.forget, values).rowcount > 0
        )

    def announce(self, key: str, due: int) -> None:
        """Notify other processes of what is due before they would look by themselves."""
        if due < time.time_ns() // 1000 + _SOON and self._notifier is not None:
            self._notifier.mark(key)

    def watch(self, doorbell: Doorbell) -> None:
        """Start to listen."""
        self._doorbell = doorbell
        if self._listen is not None:
            self._prepare()
            parameters = {"application_name": "work listen", **self._listen}
            connect = partial(self._connections.connect, synchronous_commit="off", **parameters)
            self._listener = Listener(connect, self._channel, doorbell)

    def migrate(self) -> tuple[int, int]:
        """Migrate under a lock, in one transaction."""
        with self._connections.durable() as connection:
            return schema.migrate(connection, self._names)

    def migration_script(self, after: int) -> str:
        """Return a transaction."""
        return schema.script(self._names, after)

    def health(self) -> Health:
        """Read sizes, dead rows and what holds them."""
        with self._connections.consuming() as connection:
            found = read_health(connection, self._names)
        numbers = found._asdict()
        numbers["notification_queue_percent"] = round(100 * numbers.pop("notification_queue"))
        return Health(numbers, found.warnings())

    def close(self) -> None:
        """End the threads and close the connections."""
        if self._notifier is not None:
            self._notifier.stop()
        if self._listener is not None:
            self._listener.stop()
        self._connections.close()

    def _remove(self, namespace: str, pairs: Sequence[Pair]) -> int:
        values = pairs_of(namespace, pairs)
        count = self._run(
            self._connections.consuming, lambda c: _execute(c, self._sql.remove, values).rowcount
        )
        self._acked(count)
        return count

    def _acked(self, count: int) -> None:
        if self._vacuum is not None:
            self._vacuum.acked(count)

    def _committed(self, key: str) -> None:
        if self._doorbell is not None:
            self._doorbell.ring(key)
        if self._notifier is not None:
            self._notifier.mark(key)

    def _elect(self, holder: str, seconds: float) -> bool:
        now = time.time_ns() // 1000
        until = now + int(seconds * 1e6)
        return self.acquire("", "!vacuum", holder, limit=1, at=now, until=until)

    def _consume(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        return self._run(
            self._connections.consuming, lambda c: _execute(c, statement, values).fetchall()
        )

    def _write(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        def write(connection: psycopg.Connection) -> list[Any]:
            cursor = _execute(connection, statement, values)
            return cursor.fetchall() if cursor.description else []

        return self._run(self._connections.durable, write)

    def _run(
        self,
        checkout: Callable[[], AbstractContextManager[psycopg.Connection]],
        work: Callable[[psycopg.Connection], T],
    ) -> T:
        if not self._channel:
            self._prepare()
        for _ in range(_ATTEMPTS):
            with checkout() as connection:
                try:
                    return work(connection)
                except psycopg.Error as error:
                    if not errors.may_repeat(error):
                        raise
                    connection.close()  # with it go its prepared statements
        with checkout() as connection:
            return work(connection)

    def _prepare(self) -> None:
        """Look at the schema, once per process."""
        with self._preparing:
            if self._channel:
                return
            with self._connections.durable() as connection:
                found = schema.version(connection, self._names)
                if not found and self._create:
                    schema.migrate(connection, self._names)
                elif found != len(schema.VERSIONS):
                    raise schema.wrong_version(self._names, found)
                row = connection.execute(
                    "SELECT to_regclass(%s)::oid", [self._names.job]
                ).fetchone()
            channel = f"work_{row[0] if row else 0}"
            if self._listen is not None:
                self._notifier = Notifier(self._connections, channel)
            self._channel = channel


def _execute(
    connection: psycopg.Connection, statement: str, values: Mapping[str, Any]
) -> psycopg.Cursor[Any]:
    return connection.execute(statement.encode(), values, binary=True)
