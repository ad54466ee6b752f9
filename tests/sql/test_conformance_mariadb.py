"""MariaDB keeps the whole contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pymysql  # type: ignore[import-untyped]
import pytest
from tests.servers.process import free_port

from work_core.job import Job
from work_core.plugins import open_backend
from work_core.testing import BackendConformance
from work_core.testing.conformance import Unreachable
from work_core.url import parse_url
from work_sql.rows import queue_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.backend import Backend
    from work_core.job import QueueName


def connect(url: str) -> Any:
    """Open a connection that is not work's."""
    parsed = parse_url(url)
    return pymysql.connect(
        host=parsed.host, port=parsed.port or 3306, user=parsed.user, database=parsed.path[1:]
    )


class TestMariaDB(BackendConformance):
    """One database of a real server for all tests: they use namespaces of their own."""

    @pytest.fixture
    def url(self, mariadb_url: str) -> str:
        """The URL of the server."""
        return mariadb_url

    @pytest.fixture
    def backend(self, url: str) -> Iterator[Backend]:
        """An open backend on the server."""
        with open_backend(url) as backend:
            yield backend

    @pytest.fixture
    def poison(self, backend: Backend, mariadb_url: str) -> Callable[[QueueName], None]:
        """Plant a row whose times are no times."""

        def plant(queue: QueueName) -> None:
            backend.ack(queue, [Job()])  # creates the tables
            with connect(mariadb_url) as connection, connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO work_job (namespace, queue, id, enqueued_at,"
                    " created_at, updated_at, payload, last_error)"
                    " VALUES (%s, %s, 'broken', 0, 1 << 62, 0, '', '')",
                    (queue.namespace, queue_key(queue)),
                )
                connection.commit()

        return plant

    @pytest.fixture
    def connection(self, mariadb_url: str) -> Iterator[Any]:
        """The application's own connection to the server."""
        with connect(mariadb_url) as connection:
            yield connection

    @pytest.fixture
    def payload_limit(self) -> int:
        """The server's default max_allowed_packet."""
        return 16 << 20

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        """A backend on a port where nobody listens."""
        secret = "hunter2-of-work"
        with open_backend(f"mariadb://work:{secret}@127.0.0.1:{free_port()}/jobs") as backend:
            yield Unreachable(backend, secret)
