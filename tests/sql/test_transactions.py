"""Jobs in a transaction of the caller: they exist if and only if the caller commits."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from work_core.capabilities import TransactionalEnqueue
from work_core.errors import BackendError
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend
from work_core.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from work_sql.backend import SQLBackend

QUEUE = QueueName("shop", "mail")


class Database:
    """A backend, and the application's own ways into the same database."""

    def __init__(self, url: str, engine: sa.Engine, raw: Callable[[], Any]) -> None:
        backend: Any = open_backend(url)
        self.backend: SQLBackend = backend
        self.engine = engine
        self.raw = raw

    def ids(self) -> list[str]:
        """Return the ids of the jobs that the backend sees."""
        return [job.id for job in self.backend.jobs(QUEUE).jobs]


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Database]:
    """SQLite, and an engine on the same file."""
    path = tmp_path / "jobs.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}", engine, lambda: sqlite3.connect(path))
    with database.backend:
        yield database
    engine.dispose()


@pytest.fixture
def on_postgresql(postgres_url: str, postgres_schema_url: str) -> Iterator[Database]:
    """PostgreSQL, and an engine on the same database."""
    engine = sa.create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    database = Database(postgres_schema_url, engine, lambda: psycopg.connect(postgres_url))
    with database.backend:
        yield database
    engine.dispose()


@pytest.fixture
def on_mariadb(mariadb_url: str, mariadb_table_url: str) -> Iterator[Database]:
    """MariaDB, and an engine on the same database."""
    url = parse_url(mariadb_url)
    engine = sa.create_engine(mariadb_url.replace("mariadb:", "mariadb+pymysql:"))
    place: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.user}
    database = Database(
        mariadb_table_url, engine, lambda: pymysql.connect(**place, database=url.path[1:])
    )
    with database.backend:
        yield database
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Database:
    """Each dialect in turn."""
    found: Database = request.getfixturevalue(f"on_{request.param}")
    found.ids()  # creates the tables
    return found


def test_the_capability_is_declared(database: Database) -> None:
    """Middleware and tasks find the capability by its class."""
    assert isinstance(database.backend, TransactionalEnqueue)


def test_session_commit_makes_the_job(database: Database) -> None:
    """A job enqueued on an ORM session appears with its commit and not before."""
    with orm.Session(database.engine) as session:
        database.backend.enqueue(QUEUE, [Job(id="a")], connection=session)
        assert database.ids() == []

        session.commit()

        assert database.ids() == ["a"]


def test_session_rollback_leaves_nothing(database: Database) -> None:
    """A job enqueued on an ORM session goes with its rollback."""
    with orm.Session(database.engine) as session:
        database.backend.enqueue(QUEUE, [Job(id="a")], connection=session)
        session.rollback()

    assert database.ids() == []


def test_scoped_session_is_understood(database: Database) -> None:
    """The session registry that web frameworks hand out stands for this thread's session."""
    session = orm.scoped_session(orm.sessionmaker(database.engine))
    database.backend.enqueue(QUEUE, [Job(id="a")], connection=session)
    session.commit()
    session.remove()

    assert database.ids() == ["a"]


@pytest.mark.parametrize("commits", [True, False])
def test_core_connection_decides(database: Database, *, commits: bool) -> None:
    """A Core connection's transaction decides about the job."""
    with database.engine.connect() as connection:
        database.backend.enqueue(QUEUE, [Job(id="a"), Job(id="b")], connection=connection)
        if commits:
            connection.commit()

    assert sorted(database.ids()) == (["a", "b"] if commits else [])


@pytest.mark.parametrize("commits", [True, False])
def test_raw_connection_decides(database: Database, *, commits: bool) -> None:
    """The driver's own connection serves as well."""
    connection = database.raw()
    database.backend.enqueue(QUEUE, [Job(b"payload", id="a")], connection=connection)
    if commits:
        connection.commit()
    else:
        connection.rollback()
    connection.close()

    assert database.ids() == (["a"] if commits else [])


def test_many_jobs_in_one_transaction(database: Database) -> None:
    """More jobs than fit into one statement are still one transaction."""
    with orm.Session(database.engine) as session:
        database.backend.enqueue(QUEUE, [Job() for _ in range(2500)], connection=session)
        session.commit()

    assert database.backend.metrics(QUEUE, at=utc_now()).ready == 2500


@pytest.mark.parametrize("commits", [True, False])
def test_ack_in_the_transaction_of_the_effect(database: Database, *, commits: bool) -> None:
    """An ack on the session that writes the effect makes both happen, or neither."""
    database.backend.enqueue(QUEUE, [Job(id="a")])
    leased = database.backend.dequeue(QUEUE, 1, at=utc_now(), lease=60)

    with orm.Session(database.engine) as session:
        assert database.backend.ack(QUEUE, leased, connection=session) == []
        if commits:
            session.commit()

    assert database.ids() == ([] if commits else ["a"])


def test_lost_lease_is_told_in_the_transaction(database: Database) -> None:
    """An ack by who lost the lease changes nothing in a caller's transaction either."""
    database.backend.enqueue(QUEUE, [Job(id="a")])
    lost = database.backend.dequeue(QUEUE, 1, at=utc_now(), lease=0)
    database.backend.dequeue(QUEUE, 1, at=utc_now(), lease=60)

    with database.engine.begin() as connection:
        answer = database.backend.ack(QUEUE, lost, connection=connection)

    assert [job.id for job in answer] == ["a"]
    assert database.ids() == ["a"]


def test_failed_statement_leaves_the_decision_to_the_caller(on_postgresql: Database) -> None:
    """An error crosses the edge as a WorkError, and the caller can still roll back."""
    on_postgresql.ids()  # creates the tables
    store: Any = on_postgresql.backend._store
    with on_postgresql.engine.connect() as connection:
        connection.execute(sa.text(f"DROP TABLE {store._names.job} CASCADE"))
        with pytest.raises(BackendError, match="failed in the caller's transaction: relation"):
            on_postgresql.backend.enqueue(QUEUE, [Job()], connection=connection)
        connection.rollback()

    assert on_postgresql.ids() == []


def test_committed_session_wakes_a_waiting_worker(database: Database) -> None:
    """A worker that waits gets the job as soon as the session has committed."""
    with orm.Session(database.engine) as session:
        database.backend.enqueue(QUEUE, [Job(id="a")], connection=session)
        session.commit()

    leased = database.backend.dequeue(QUEUE, 1, at=utc_now(), lease=60, wait=30)

    assert [job.id for job in leased] == ["a"]


def test_foreign_object_is_refused(database: Database) -> None:
    """What is no connection is refused with its type and what was expected."""
    with pytest.raises(BackendError, match=r"builtins\.int; pass an SQLAlchemy Session"):
        database.backend.enqueue(QUEUE, [Job()], connection=7)


def test_connection_to_another_kind_of_database_is_refused(on_postgresql: Database) -> None:
    """A session on SQLite cannot carry jobs for PostgreSQL."""
    with (
        orm.Session(sa.create_engine("sqlite://")) as session,
        pytest.raises(BackendError, match="pass an SQLAlchemy Session"),
    ):
        on_postgresql.backend.enqueue(QUEUE, [Job()], connection=session)
