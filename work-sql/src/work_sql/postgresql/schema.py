"""The tables of PostgreSQL, version by version, and how a database gets from one to the next."""

# ruff: noqa: S608 - names of tables are checked identifiers, and values are parameters

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_core.errors import BackendError

if TYPE_CHECKING:
    import psycopg

# Half of every page stays free, so that the new version of a leased row finds room beside the old
# one and no index is touched: 202 instead of 609 bytes of log per job.
_VERSION_1 = """
CREATE TABLE IF NOT EXISTS {job} (
  namespace    text COLLATE "C" NOT NULL,
  queue        text COLLATE "C" NOT NULL,   -- namespace ':' queue id; after '!': set aside
  id           text COLLATE "C" NOT NULL,
  enqueued_at  bigint NOT NULL,             -- when it is due; all times: microseconds since 1970
  lease_until  bigint NOT NULL DEFAULT 0,   -- the lease stands in no index and no predicate of one
  lease_token  bigint NOT NULL DEFAULT 0,   -- who holds the lease; 0: nobody
  deliveries   bigint NOT NULL DEFAULT 0,
  created_at   bigint NOT NULL,
  updated_at   bigint NOT NULL,
  retries      bigint NOT NULL DEFAULT 0,
  payload      bytea NOT NULL,
  last_error   text NOT NULL DEFAULT '',
  PRIMARY KEY (id, namespace)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_analyze_scale_factor = 0.2, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS "{index_prefix}_due" ON {job} (queue, enqueued_at, id);
CREATE OR REPLACE VIEW {view} AS
  SELECT namespace, queue, id, to_timestamp(greatest(enqueued_at, lease_until) / 1e6) AS visible_at,
         to_timestamp(created_at / 1e6) AS created, retries, deliveries, last_error,
         octet_length(payload) AS bytes
  FROM {job};
CREATE TABLE IF NOT EXISTS {semaphore} (
  namespace text COLLATE "C" NOT NULL,
  key       text COLLATE "C" NOT NULL,
  holder    text COLLATE "C" NOT NULL,
  until     bigint NOT NULL,
  PRIMARY KEY (namespace, key, holder)
);
CREATE TABLE IF NOT EXISTS {once} (
  namespace text COLLATE "C" NOT NULL,
  key       text COLLATE "C" NOT NULL,
  owner     text COLLATE "C" NOT NULL,
  until     bigint NOT NULL,
  PRIMARY KEY (namespace, key)
);
CREATE INDEX IF NOT EXISTS "{index_prefix}_once_until" ON {once} (until);
CREATE TABLE IF NOT EXISTS {meta} (version bigint PRIMARY KEY, applied_at timestamptz DEFAULT now())
"""

VERSIONS = (_VERSION_1,)
"""What leads to each version from the one before; only ever added to."""

_LOCK = 0x776F726B  # "work"


@dataclass(frozen=True)
class Names:
    """The names of all tables, from the user's ``schema=`` and ``table=``."""

    schema: str | None
    table: str

    def _qualified(self, suffix: str) -> str:
        # Both are identifiers, checked when the URL was read; quoting keeps their case.
        prefix = f'"{self.schema}".' if self.schema else ""
        return f'{prefix}"{self.table}{suffix}"'

    @property
    def job(self) -> str:
        """The jobs themselves."""
        return self._qualified("")

    @property
    def semaphore(self) -> str:
        """The places of semaphores."""
        return self._qualified("_semaphore")

    @property
    def once(self) -> str:
        """The keys that are given away once per period."""
        return self._qualified("_once")

    @property
    def meta(self) -> str:
        """The versions that were applied."""
        return self._qualified("_meta")

    @property
    def view(self) -> str:
        """The jobs with readable times, for people."""
        return self._qualified("_v")

    @property
    def index_prefix(self) -> str:
        """What the names of indexes start with; an index stands in the schema of its table."""
        return self.table


def statements(names: Names, after: int) -> list[str]:
    """Return the statements that lead from version *after* to the newest."""
    found: list[str] = []
    for version, text in enumerate(VERSIONS[after:], after + 1):
        script = text.format(
            job=names.job,
            semaphore=names.semaphore,
            once=names.once,
            meta=names.meta,
            view=names.view,
            index_prefix=names.index_prefix,
        )
        found += [part.strip() for part in script.split(";\n")]
        found.append(
            f"INSERT INTO {names.meta} (version) VALUES ({version}) ON CONFLICT DO NOTHING"
        )
    return found


def script(names: Names, after: int) -> str:
    """Return what ``migrate`` would run, to be read and run by hand."""
    parts = ["BEGIN", *statements(names, after), "COMMIT"]
    return "".join(f"{part};\n\n" for part in parts)


def version(connection: psycopg.Connection, names: Names) -> int:
    """Return the version of the tables, 0 where there are none."""
    found = connection.execute("SELECT to_regclass(%s)", [names.meta]).fetchone()
    if found is None or found[0] is None:
        return 0
    row = connection.execute(f"SELECT coalesce(max(version), 0) FROM {names.meta}".encode())
    newest = row.fetchone()
    return 0 if newest is None else int(newest[0])


def migrate(connection: psycopg.Connection, names: Names) -> tuple[int, int]:
    """Bring the tables to the newest version in one transaction; return the old and the new.

    Any number of processes may do so at once.

    Raises:
        BackendError: when the tables are newer than this package.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        _create_schema(connection, names)
        before = version(connection, names)
        if before > len(VERSIONS):
            raise wrong_version(names, before)
        for statement in statements(names, before):
            connection.execute(statement.encode())
    return before, len(VERSIONS)


def _create_schema(connection: psycopg.Connection, names: Names) -> None:
    if names.schema is None:
        return
    found = connection.execute("SELECT to_regnamespace(%s)", [f'"{names.schema}"']).fetchone()
    if found is None or found[0] is None:
        connection.execute(f'CREATE SCHEMA "{names.schema}"'.encode())


def wrong_version(names: Names, found: int) -> BackendError:
    """Return the error for tables of another version."""
    if not found:
        advice = "there are no tables yet; run: work sql migrate"
    elif found < len(VERSIONS):
        advice = f"the tables have version {found}, older than this package; run: work sql migrate"
    else:
        advice = f"the tables have version {found}, newer than this package; update work-sql"
    return BackendError(f"{names.job}: {advice} (this package needs version {len(VERSIONS)})")
