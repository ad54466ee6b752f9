"""The SQL of SQLite, for one name of the job table."""

# ruff: noqa: S608 - names of tables are checked identifiers, and values are parameters

from __future__ import annotations

from work_sql.rows import COLUMNS

SCHEMA_VERSION = 1

# Index `due` holds all that a fetch sorts and filters by, save the lease: a lease is written with
# every delivery, and what stands in no index costs no index write.
_SCHEMA = """
CREATE TABLE {table} (
  namespace    TEXT NOT NULL,
  queue        TEXT NOT NULL,               -- namespace ':' queue id; after '!': set aside
  id           TEXT NOT NULL,
  enqueued_at  INTEGER NOT NULL,            -- when it is due; all times: microseconds since 1970
  lease_until  INTEGER NOT NULL DEFAULT 0,
  lease_token  INTEGER NOT NULL DEFAULT 0,  -- who holds the lease; 0: nobody
  deliveries   INTEGER NOT NULL DEFAULT 0,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  retries      INTEGER NOT NULL DEFAULT 0,
  payload      BLOB NOT NULL,
  last_error   TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (id, namespace)
);
CREATE INDEX {table}_due ON {table} (queue, enqueued_at, id);
CREATE TABLE {table}_semaphore (
  namespace TEXT NOT NULL,
  key       TEXT NOT NULL,
  holder    TEXT NOT NULL,
  until     INTEGER NOT NULL,
  PRIMARY KEY (namespace, key, holder)
) WITHOUT ROWID;
CREATE TABLE {table}_once (
  namespace TEXT NOT NULL,
  key       TEXT NOT NULL,
  owner     TEXT NOT NULL,
  until     INTEGER NOT NULL,
  PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
CREATE INDEX {table}_once_until ON {table}_once (until);
CREATE TABLE {table}_meta (version INTEGER NOT NULL);
INSERT INTO {table}_meta VALUES (1)
"""

COUNT_LIMIT = 10_000


class Statements:
    """Every statement as text, made once."""

    def __init__(self, table: str) -> None:
        columns = ", ".join(COLUMNS)
        self.schema = [part.strip() for part in _SCHEMA.format(table=table).split(";\n")]
        self.has_schema = (
            f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{table}_meta'"
        )
        self.version = f"SELECT version FROM {table}_meta"
        self.upsert = f"""
            INSERT INTO {table} (namespace, queue, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id, namespace) DO UPDATE SET
              queue = excluded.queue, enqueued_at = excluded.enqueued_at,
              created_at = excluded.created_at, updated_at = excluded.updated_at,
              retries = excluded.retries, payload = excluded.payload,
              last_error = excluded.last_error,
              deliveries = 0, lease_until = 0, lease_token = 0"""
        self.anything_due = f"""
            SELECT 1 FROM {table}
            WHERE queue = ? AND (enqueued_at, id) >= (?, ?) AND enqueued_at <= ?
              AND lease_until <= ?
            LIMIT 1"""
        self.lease = f"""
            UPDATE {table} SET lease_until = ?, lease_token = ?, deliveries = deliveries + 1
            WHERE rowid IN (
              SELECT rowid FROM {table}
              WHERE queue = ? AND (enqueued_at, id) >= (?, ?) AND enqueued_at <= ?
                AND lease_until <= ?
              ORDER BY enqueued_at, id LIMIT ?)
            RETURNING {columns}"""
        self.remove = f"DELETE FROM {table} WHERE id = ? AND namespace = ? AND lease_token = ?"
        self.present = f"SELECT 1 FROM {table} WHERE id = ? AND namespace = ?"
        self.rewrite = f"""
            UPDATE {table} SET
              queue = ?, enqueued_at = ?, created_at = ?, updated_at = ?, retries = ?, payload = ?,
              last_error = ?, deliveries = 0, lease_until = 0, lease_token = 0
            WHERE id = ? AND namespace = ? AND lease_token = ?"""
        self.prolong = f"""
            UPDATE {table} SET lease_until = ?
            WHERE id = ? AND namespace = ? AND lease_token = ?"""
        self.set_aside = f"""
            UPDATE {table} SET queue = ? WHERE id = ? AND namespace = ? AND queue = ?"""
        # Rows in flight stand in front of those due later: a few are looked at for the first lease
        # to end, more are found by polling.
        self.next_due = f"""
            SELECT min(visible_at) FROM (
              SELECT * FROM (
                SELECT max(enqueued_at, lease_until) AS visible_at FROM {table}
                WHERE queue = ? ORDER BY enqueued_at, id LIMIT 100)
              UNION ALL
              SELECT * FROM (
                SELECT enqueued_at FROM {table}
                WHERE queue = ? AND enqueued_at > ? ORDER BY enqueued_at, id LIMIT 1))"""
        self.find = f"SELECT {columns} FROM {table} WHERE id = ? AND namespace = ? AND queue = ?"
        self.delete = f"DELETE FROM {table} WHERE id = ? AND namespace = ? AND queue = ?"
        self.count = f"""
            SELECT count(*), coalesce(sum(enqueued_at <= ? AND lease_until <= ?), 0) FROM (
              SELECT enqueued_at, lease_until FROM {table}
              WHERE queue = ? ORDER BY enqueued_at, id LIMIT {COUNT_LIMIT + 1})"""
        self.oldest = f"""
            SELECT enqueued_at FROM {table}
            WHERE queue = ? AND enqueued_at <= ? AND lease_until <= ?
            ORDER BY enqueued_at, id LIMIT 1"""
        # One step of a loose index scan; DISTINCT would read every row.
        self.next_key = f"SELECT min(queue) FROM {table} WHERE queue > ?"
        self.page = f"""
            SELECT {columns} FROM {table}
            WHERE queue = ? AND (enqueued_at, id) > (?, ?) ORDER BY enqueued_at, id LIMIT ?"""
        self.expire_places = f"""
            DELETE FROM {table}_semaphore WHERE namespace = ? AND key = ? AND until <= ?"""
        self.acquire = f"""
            INSERT INTO {table}_semaphore (namespace, key, holder, until)
            SELECT ?1, ?2, ?3, ?4 WHERE ?5 > (
              SELECT count(*) FROM {table}_semaphore
              WHERE namespace = ?1 AND key = ?2 AND holder <> ?3)
            ON CONFLICT (namespace, key, holder) DO UPDATE SET until = excluded.until"""
        self.release = f"""
            DELETE FROM {table}_semaphore WHERE namespace = ? AND key = ? AND holder = ?"""
        self.expire_claims = f"""
            DELETE FROM {table}_once WHERE (namespace, key) IN (
              SELECT namespace, key FROM {table}_once WHERE until <= ? ORDER BY until LIMIT 100)"""
        self.claim = f"""
            INSERT INTO {table}_once (namespace, key, owner, until) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (namespace, key) DO UPDATE SET
              owner = iif(until <= ?5, excluded.owner, owner),
              until = iif(until <= ?5, excluded.until, until)
            RETURNING owner"""
        self.forget = f"""
            DELETE FROM {table}_once WHERE namespace = ? AND key = ? AND owner = ?"""
