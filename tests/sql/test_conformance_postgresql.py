"""PostgreSQL keeps the whole contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.servers.process import free_port

from work_core.job import Job
from work_core.plugins import open_backend
from work_core.testing import BackendConformance
from work_core.testing.conformance import Unreachable
from work_sql.rows import queue_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.backend import Backend
    from work_core.job import QueueName


class TestPostgreSQL(BackendConformance):
    """One schema of a real server for all tests: they use namespaces of their own."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        """The URL of the server."""
        return f"{postgres_url}{'&' if '?' in postgres_url else '?'}table=conformance"

    @pytest.fixture
    def backend(self, url: str) -> Iterator[Backend]:
        """An open backend on the server."""
        with open_backend(url) as backend:
            yield backend

    @pytest.fixture
    def poison(self, backend: Backend, postgres_url: str) -> Callable[[QueueName], None]:
        """Plant a row whose times are no times."""

        def plant(queue: QueueName) -> None:
            backend.ack(queue, [Job()])  # creates the tables
            with psycopg.connect(postgres_url) as connection:
                connection.execute(
                    "INSERT INTO conformance (namespace, queue, id, enqueued_at, created_at,"
                    " updated_at, payload) VALUES (%s, %s, 'broken', 0, 1::bigint << 62, 0, '')",
                    (queue.namespace, queue_key(queue)),
                )

        return plant

    @pytest.fixture
    def connection(self, postgres_url: str) -> Iterator[psycopg.Connection]:
        """The application's own connection to the server."""
        with psycopg.connect(postgres_url) as connection:
            yield connection

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        """A backend on a port where nobody listens."""
        secret = "hunter2-of-work"
        with open_backend(f"postgresql://work:{secret}@127.0.0.1:{free_port()}/jobs") as backend:
            yield Unreachable(backend, secret)
