"""Keep the tables in your own Alembic revisions.

In a revision::

    from alembic import op
    import work_sql.alembic

    def upgrade():
        work_sql.alembic.upgrade(op)

    def downgrade():
        work_sql.alembic.downgrade(op)

and in ``env.py``, so that ``--autogenerate`` leaves the tables alone::

    context.configure(..., include_object=work_sql.alembic.include_object)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.errors import ConfigError
from work_sql.names import DEFAULT_TABLE, TABLE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable


def upgrade(
    op: Any, *, after: int = 0, schema: str | None = None, table: str = DEFAULT_TABLE
) -> None:
    """Run, or in offline mode print, what leads from version *after* to this package's.

    Args:
        op: Alembic's ``op``.
        after: the version that the tables have: 0 in the first revision, then that of the last one.
        schema: as ``schema=`` in the backend's URL.
        table: as ``table=`` in the backend's URL.

    Raises:
        ConfigError: for a database that work-sql does not support.
    """
    for statement in _statements(op.get_context().dialect.name, schema, table, after):
        op.execute(statement)


def downgrade(op: Any, *, schema: str | None = None, table: str = DEFAULT_TABLE) -> None:
    """Drop the tables, and all jobs with them."""
    prefix = f"{schema}." if schema else ""
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"DROP VIEW IF EXISTS {prefix}{table}_v")
    for suffix in TABLE_SUFFIXES:
        op.execute(f"DROP TABLE IF EXISTS {prefix}{table}{suffix}")


def ignoring(table: str = DEFAULT_TABLE) -> Callable[..., bool]:
    """Return an ``include_object`` that leaves out the tables whose first one is called *table*."""
    names = {table + suffix for suffix in TABLE_SUFFIXES}

    def include(found: Any, name: str | None, kind: str, *_: Any) -> bool:
        if kind == "table":
            return name not in names
        return getattr(getattr(found, "table", None), "name", None) not in names

    return include


include_object = ignoring()
"""The filter for the default ``table=``."""


def _statements(dialect: str, schema: str | None, table: str, after: int) -> list[str]:
    if dialect == "postgresql":
        from work_sql.postgresql.schema import Names, statements

        return statements(Names(schema, table), after)
    if dialect in {"mysql", "mariadb"}:
        from work_sql.mysql.schema import statements as of_mysql

        return of_mysql(table, after)
    if dialect == "sqlite":
        from work_sql.sqlite.statements import Statements

        return [] if after else Statements(table).schema
    raise ConfigError(f"work-sql has no tables for {dialect}; it knows sqlite, postgresql, mysql")
