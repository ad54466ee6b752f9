"""The connections of one process to one database file."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from work_core.errors import BackendClosed

if TYPE_CHECKING:
    from collections.abc import Iterator

_CACHE_KIB = 20_000
_MMAP_BYTES = 256 << 20

# SQLite's own busy handler sleeps up to 100 ms at a time: with four processes the slowest 1 % of
# batches waited 234 ms, with short random sleeps 26 ms.
_SHORTEST_RETRY = 0.0002
_LONGEST_RETRY = 0.001


class Connections:
    """One connection that writes and one that reads, each behind a lock.

    SQLite has one writer per file: more connections in a process would only compete. The locks and
    connections are replaced in a forked child, which must not use those of its parent.
    """

    def __init__(self, path: str, *, synchronous: str, timeout: float) -> None:
        self.path = path
        self._synchronous = synchronous
        self._timeout = timeout
        self._closed = False
        self._left_to_parent: list[sqlite3.Connection | None] = []
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def _leave_to_parent(self) -> None:
        # Closing them here would take the parent's locks away.
        self._left_to_parent += [self._writer, self._reader]
        self._start()

    def open(self) -> sqlite3.Connection:
        """Open one more connection.

        Raises:
            sqlite3.Error: when the file cannot be opened or is no database.
        """
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=self._timeout
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._switch_to_wal(connection)
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA mmap_size = {_MMAP_BYTES}")

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        # Two processes that switch at once are refused without the busy handler being asked.
        self._retry(lambda: connection.execute("PRAGMA journal_mode = WAL"))

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the writer within a transaction that is committed at the end, or rolled back."""
        if self._process != os.getpid():
            self._leave_to_parent()
        with self._write_lock:
            writer = self._open_writer()
            try:
                writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                self._retry(lambda: writer.execute("BEGIN IMMEDIATE"))
            try:
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the reader."""
        if self._process != os.getpid():
            self._leave_to_parent()
        with self._read_lock:
            if self._reader is None:
                self._check_open()
                self._reader = self.open()
            yield self._reader

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self._check_open()
            self._writer = self.open()
            self._writer.execute("PRAGMA busy_timeout = 0")
        return self._writer

    def _retry(self, attempt: object) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                attempt()  # type: ignore[operator]
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(_SHORTEST_RETRY, _LONGEST_RETRY))
            else:
                return

    def _check_open(self) -> None:
        if self._closed:
            raise BackendClosed(f"the connection to {self.path} is closed")

    def close(self) -> None:
        """Close both connections once they are free."""
        if self._process != os.getpid():
            self._leave_to_parent()
        self._closed = True
        with self._write_lock, self._read_lock:
            for connection in (self._writer, self._reader):
                if connection is not None:
                    connection.close()
            self._writer = self._reader = None


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether *error* only says that somebody else has the lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }
