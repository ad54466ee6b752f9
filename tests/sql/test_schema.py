"""The tables: made, updated, printed, and left alone by Alembic."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from click.testing import CliRunner

import work_sql.alembic
from work_core.cli.root import cli
from work_core.errors import BackendError, ConfigError
from work_core.job import Job, QueueName
from work_core.plugins import open_backend
from work_sql.plugin import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

QUEUE = QueueName("shop", "mail")


def work(*arguments: str) -> Result:
    """Run the ``work`` command."""
    return CliRunner().invoke(cli, arguments)


def store_one(url: str) -> None:
    """Enqueue a job."""
    with open_backend(url) as backend:
        backend.enqueue(QUEUE, [Job(id="a")])


def set_version(url: str, version: int) -> None:
    """Make the tables say that they have *version*."""
    store: Any = open_store(url)
    with store._connections.durable() as connection:
        connection.execute(f"UPDATE {store._names.meta} SET version = {version}")
    store.close()


def test_first_use_makes_the_tables(postgres_schema_url: str) -> None:
    """An empty schema needs no command before the first job."""
    store_one(postgres_schema_url)


def test_first_use_by_many_at_once(postgres_schema_url: str) -> None:
    """Any number of processes may come first."""
    errors: list[Exception] = []

    def use() -> None:
        try:
            store_one(postgres_schema_url)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []


def test_create_can_be_refused(postgres_schema_url: str) -> None:
    """With create=0 missing tables are an error that says what to run."""
    with pytest.raises(BackendError, match="there are no tables yet; run: work sql migrate"):
        store_one(f"{postgres_schema_url}&create=0")


def test_migrate_makes_the_tables(postgres_schema_url: str) -> None:
    """The command makes the tables and then finds nothing to do."""
    first = work("sql", "migrate", "--url", f"{postgres_schema_url}&create=0")
    second = work("sql", "migrate", "--url", f"{postgres_schema_url}&create=0")

    assert first.output == "the tables had version 0 and have version 1 now\n"
    assert second.output == "the tables have version 1 already\n"
    store_one(f"{postgres_schema_url}&create=0")


def test_migrate_makes_the_schema(postgres_url: str, postgres_schema_url: str) -> None:
    """A schema that does not exist yet is made, too."""
    url = f"{postgres_schema_url}_new"
    name = url.partition("schema=")[2]

    result = work("sql", "migrate", "--url", url)
    with psycopg.connect(postgres_url, autocommit=True) as operator:
        operator.execute(f"DROP SCHEMA {name} CASCADE".encode())

    assert result.exit_code == 0


def test_printed_statements_make_the_tables(postgres_url: str, postgres_schema_url: str) -> None:
    """What ``migrate --sql`` prints does what ``migrate`` does; it needs no server."""
    script = work("sql", "migrate", "--sql", "--url", postgres_schema_url).output
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(script.encode())

    store_one(f"{postgres_schema_url}&create=0")


@pytest.mark.parametrize("version", [0, 99])
def test_other_versions_are_refused(postgres_schema_url: str, version: int) -> None:
    """Older and newer tables are refused with the versions and the way out."""
    store_one(postgres_schema_url)
    set_version(postgres_schema_url, version)

    with pytest.raises(BackendError, match=r"needs version 1"):
        store_one(f"{postgres_schema_url}&create=0")


def test_newer_tables_are_not_migrated(postgres_schema_url: str) -> None:
    """``migrate`` of an older package leaves newer tables alone."""
    store_one(postgres_schema_url)
    set_version(postgres_schema_url, 99)

    result = work("sql", "migrate", "--url", postgres_schema_url)

    assert result.exit_code == 1
    assert "newer than this package; update work-sql" in result.output


def test_table_option_names_the_tables(postgres_schema_url: str) -> None:
    """Two sets of tables in one schema do not see each other."""
    store_one(f"{postgres_schema_url}&table=one")

    with open_backend(f"{postgres_schema_url}&table=two") as other:
        assert other.find(QUEUE, ["a"]) == [None]  # type: ignore[attr-defined]


def test_health_shows_numbers(postgres_schema_url: str) -> None:
    """The command shows sizes and what holds dead rows."""
    store_one(postgres_schema_url)

    result = work("sql", "health", "--url", postgres_schema_url)

    assert result.exit_code == 0
    names = [line.split()[0] for line in result.output.splitlines()]
    assert {"table_bytes", "dead_rows", "held_transactions"} <= set(names)


def test_commands_of_other_backends_are_refused() -> None:
    """A URL that is not SQL is a usage error."""
    result = work("sql", "migrate", "--url", "memory://")

    assert result.exit_code == 2
    assert "memory:// is no SQL backend" in result.output


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_alembic_makes_and_drops_the_tables(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The tables can live in the application's own revisions."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    if kind != "sqlite":
        url = request.getfixturevalue({"postgresql": "postgres_url"}.get(kind, f"{kind}_url"))
    table = f"revision_{kind}"
    drivers = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
    engine = sa.create_engine(url.replace(kind, drivers[kind], 1))
    with engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        work_sql.alembic.upgrade(operations, table=table)
    with open_backend(f"{url}?table={table}") as backend:
        backend.enqueue(QUEUE, [Job()])
    with engine.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": work_sql.alembic.ignoring(table)}
        )
        ours = [one for one in compare_metadata(context, sa.MetaData()) if table in str(one)]
        work_sql.alembic.downgrade(Operations(context), table=table)
        left = [name for name in sa.inspect(connection).get_table_names() if table in name]
    engine.dispose()

    assert ours == []
    assert left == []


def test_sqlite_refuses_tables_of_another_version(tmp_path: Path) -> None:
    """A file that a newer package made is refused with both versions."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    store_one(url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE work_job_meta SET version = 99"))
    engine.dispose()

    with pytest.raises(BackendError, match="has schema version 99, this work-sql knows 1"):
        store_one(url)


def test_alembic_refuses_other_databases() -> None:
    """A database that work-sql does not know is refused by name."""
    context = MigrationContext.configure(dialect_name="oracle", opts={"as_sql": True})

    with pytest.raises(ConfigError, match="no tables for oracle"):
        work_sql.alembic.upgrade(Operations(context))
