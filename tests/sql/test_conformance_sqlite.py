"""SQLite keeps the whole contract."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from work_core.job import Job
from work_core.plugins import open_backend
from work_core.testing import BackendConformance
from work_sql.backend import SQLBackend
from work_sql.rows import queue_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from work_core.backend import Backend
    from work_core.job import QueueName


class TestSQLite(BackendConformance):
    """Several processes on one file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """The file of the test."""
        return tmp_path / "jobs.db"

    @pytest.fixture
    def url(self, path: Path) -> str:
        """The URL of the file."""
        return f"sqlite:///{path}"

    @pytest.fixture
    def backend(self, url: str) -> Iterator[Backend]:
        """An open backend on the file."""
        with open_backend(url) as backend:
            yield backend

    @pytest.fixture
    def poison(self, backend: Backend, path: Path) -> Callable[[QueueName], None]:
        """Plant a row whose times are no times."""

        def plant(queue: QueueName) -> None:
            backend.ack(queue, [Job()])  # creates the tables
            with sqlite3.connect(path) as connection:
                connection.execute(
                    "INSERT INTO work_job (namespace, queue, id, enqueued_at, created_at,"
                    " updated_at, payload) VALUES (?, ?, 'broken', 0, 1 << 62, 0, x'00')",
                    (queue.namespace, queue_key(queue)),
                )
            connection.close()

        return plant

    @pytest.fixture
    def connection(self, path: Path) -> Iterator[sqlite3.Connection]:
        """The application's own connection to the file."""
        connection = sqlite3.connect(path)
        yield connection
        connection.close()

    @pytest.fixture
    def payload_limit(self, backend: Backend) -> int:
        """The limit of the connection, lowered from a billion bytes."""
        assert isinstance(backend, SQLBackend)
        with backend._store._connections.writing() as writer:  # type: ignore[attr-defined]
            writer.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
        return 1_000_001
