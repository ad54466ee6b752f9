"""The SQL of PostgreSQL, for one schema and one name of the job table.

Every statement that touches jobs reaches them by ``ctid`` or by ``id = ANY(array)``: shapes that
have only one plan. The join of a CTE that is found elsewhere becomes a hash join over the whole
table as soon as it is prepared while the table is small: 400 ms per fetch instead of 0.13 ms with a
million jobs.
"""

# ruff: noqa: S608 - names of tables are checked identifiers, and values are parameters

from __future__ import annotations

from typing import TYPE_CHECKING

from work_sql.rows import COLUMNS

if TYPE_CHECKING:
    from work_sql.postgresql.schema import Names

COUNT_LIMIT = 10_000
BATCH = 500
"""Rows per statement: an ack looks up each row's token in its array, which is quadratic."""


class Statements:
    """Every statement as text, made once."""

    def __init__(self, names: Names) -> None:
        table, semaphore, once = names.job, names.semaphore, names.once
        columns = ", ".join(COLUMNS)
        self.upsert = _upsert(table, *(f"%({name})b" for name in _UPSERT_PARAMETERS))
        self.upsert_for_sqlalchemy = _upsert(table, *(f":{name}" for name in _UPSERT_PARAMETERS))

        lease = f"""
            UPDATE {table}
            SET lease_until = %(until)b, lease_token = %(token)b, deliveries = deliveries + 1
            WHERE ctid = ANY(ARRAY(
              SELECT ctid FROM {table}
              WHERE queue = %(key)b AND (enqueued_at, id) >= (%(floor_due)b, %(floor_id)b)
                AND enqueued_at <= %(at)b AND lease_until <= %(at)b
              ORDER BY enqueued_at, id LIMIT %(limit)b
              FOR UPDATE SKIP LOCKED))
            RETURNING {columns}"""
        remove = _remove(table, "%(namespace)b", "%(ids)b", "%(tokens)b")
        self.lease = lease
        self.remove = remove
        self.remove_for_sqlalchemy = _remove(table, ":namespace", ":ids", ":tokens")
        # The counted acks stand on the outer side of the join, so that they run first: whoever
        # waits for a row then holds no leases yet, and two workers cannot wait for each other.
        self.exchange = f"""
            WITH acked AS ({remove} RETURNING 1), leased AS ({lease})
            SELECT done.removed, leased.*
            FROM (SELECT count(*) AS removed FROM acked) AS done LEFT JOIN leased ON true"""
        self.present = _present(table, "%(namespace)b", "%(ids)b")
        self.present_for_sqlalchemy = _present(table, ":namespace", ":ids")

        held = "lease_token = (%(tokens)b::bigint[])[array_position(%(ids)b::text[], id)]"
        self.rewrite = f"""
            UPDATE {table} SET
              queue = %(key)b, enqueued_at = %(due)b, created_at = %(created)b,
              updated_at = %(updated)b, retries = %(retries)b, payload = %(payload)b,
              last_error = %(last_error)b, deliveries = 0, lease_until = 0, lease_token = 0
            WHERE id = %(id)b AND namespace = %(namespace)b AND lease_token = %(token)b"""
        self.prolong = f"""
            UPDATE {table} SET lease_until = %(until)b
            WHERE id = ANY(%(ids)b::text[]) AND namespace = %(namespace)b AND {held}
            RETURNING id"""
        self.set_aside = f"""
            UPDATE {table} SET queue = %(aside)b
            WHERE id = ANY(%(ids)b::text[]) AND namespace = %(namespace)b AND queue = %(key)b"""
        # Rows in flight stand in front of those due later: a few are looked at for the first lease
        # to end, more are found by polling.
        self.next_due = f"""
            SELECT least(
              (SELECT min(visible_at) FROM (
                SELECT greatest(enqueued_at, lease_until) AS visible_at FROM {table}
                WHERE queue = %(key)b ORDER BY enqueued_at, id LIMIT 100) AS front),
              (SELECT enqueued_at FROM {table}
               WHERE queue = %(key)b AND enqueued_at > %(at)b ORDER BY enqueued_at, id LIMIT 1))"""

        self.find = f"""
            SELECT {columns} FROM {table}
            WHERE id = ANY(%(ids)b::text[]) AND namespace = %(namespace)b AND queue = %(key)b"""
        self.delete = f"""
            DELETE FROM {table}
            WHERE id = ANY(%(ids)b::text[]) AND namespace = %(namespace)b AND queue = %(key)b
            RETURNING id"""
        self.count = f"""
            SELECT count(*), count(*) FILTER (WHERE enqueued_at <= %(at)b AND lease_until <= %(at)b)
            FROM (SELECT enqueued_at, lease_until FROM {table}
                  WHERE queue = %(key)b
                  ORDER BY enqueued_at, id LIMIT {COUNT_LIMIT + 1}) AS front"""
        self.oldest = f"""
            SELECT enqueued_at FROM {table}
            WHERE queue = %(key)b AND enqueued_at <= %(at)b AND lease_until <= %(at)b
            ORDER BY enqueued_at, id LIMIT 1"""
        # A loose index scan; DISTINCT would read every row.
        self.keys = f"""
            WITH RECURSIVE found AS (
              SELECT min(queue) AS queue FROM {table} WHERE queue > %(prefix)b
              UNION ALL
              SELECT (SELECT min(queue) FROM {table} WHERE queue > found.queue)
              FROM found WHERE starts_with(found.queue, %(prefix)b))
            SELECT queue FROM found WHERE starts_with(queue, %(prefix)b)"""
        self.page = f"""
            SELECT {columns} FROM {table}
            WHERE queue = %(key)b AND (enqueued_at, id) > (%(due)b, %(id)b)
            ORDER BY enqueued_at, id LIMIT %(limit)b"""

        # The lock makes the count and the insert one step; it ends with the transaction.
        self.lock_places = """
            SELECT pg_advisory_xact_lock(hashtextextended(%(namespace)b || ':' || %(key)b, 7705))"""
        self.expire_places = f"""
            DELETE FROM {semaphore}
            WHERE namespace = %(namespace)b AND key = %(key)b AND until <= %(at)b"""
        self.acquire = f"""
            INSERT INTO {semaphore} (namespace, key, holder, until)
            SELECT %(namespace)b, %(key)b, %(holder)b, %(until)b
            WHERE %(limit)b > (
              SELECT count(*) FROM {semaphore}
              WHERE namespace = %(namespace)b AND key = %(key)b AND holder <> %(holder)b)
            ON CONFLICT (namespace, key, holder) DO UPDATE SET until = excluded.until"""
        self.release = f"""
            DELETE FROM {semaphore}
            WHERE namespace = %(namespace)b AND key = %(key)b AND holder = %(holder)b"""
        self.claim = f"""
            INSERT INTO {once} AS held (namespace, key, owner, until)
            VALUES (%(namespace)b, %(key)b, %(owner)b, %(until)b)
            ON CONFLICT (namespace, key) DO UPDATE SET
              owner = CASE WHEN held.until <= %(at)b THEN excluded.owner ELSE held.owner END,
              until = CASE WHEN held.until <= %(at)b THEN excluded.until ELSE held.until END
            RETURNING owner"""
        self.expire_claims = f"""
            DELETE FROM {once} WHERE ctid = ANY(ARRAY(
              SELECT ctid FROM {once} WHERE until <= %(at)b
              ORDER BY until LIMIT 1000 FOR UPDATE SKIP LOCKED))"""
        self.forget = f"""
            DELETE FROM {once}
            WHERE namespace = %(namespace)b AND key = %(key)b AND owner = %(owner)b"""


_UPSERT_PARAMETERS = (
    "namespace",
    "key",
    "due",
    "ids",
    "created",
    "updated",
    "retries",
    "payloads",
    "last_errors",
)


def _upsert(table: str, *parameters: str) -> str:
    namespace, key, *arrays = parameters
    kinds = ("bigint", "text", "bigint", "bigint", "bigint", "bytea", "text")
    unnested = ", ".join(
        f"CAST({array} AS {kind}[])" for array, kind in zip(arrays, kinds, strict=True)
    )
    return f"""
        INSERT INTO {table} (namespace, queue, enqueued_at, id, created_at, updated_at, retries,
                             payload, last_error)
        SELECT CAST({namespace} AS text), CAST({key} AS text), job.* FROM unnest({unnested}) AS job
        ON CONFLICT (id, namespace) DO UPDATE SET
          queue = excluded.queue, enqueued_at = excluded.enqueued_at,
          created_at = excluded.created_at, updated_at = excluded.updated_at,
          retries = excluded.retries, payload = excluded.payload,
          last_error = excluded.last_error,
          deliveries = 0, lease_until = 0, lease_token = 0"""


def _remove(table: str, namespace: str, ids: str, tokens: str) -> str:
    # Nothing of the due index's columns may stand here: the planner would take that index.
    return f"""
        DELETE FROM {table}
        WHERE id = ANY(CAST({ids} AS text[])) AND namespace = {namespace}
          AND lease_token
              = (CAST({tokens} AS bigint[]))[array_position(CAST({ids} AS text[]), id)]"""


def _present(table: str, namespace: str, ids: str) -> str:
    return f"""
        SELECT id FROM {table} WHERE id = ANY(CAST({ids} AS text[])) AND namespace = {namespace}"""
