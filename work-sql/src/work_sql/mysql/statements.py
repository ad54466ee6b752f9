"""The SQL of MySQL and MariaDB, for one name of the job table.

``%s`` stands for a value or, after ``IN``, for a list of values or of pairs.
"""

# ruff: noqa: S608 - names of tables are checked identifiers, and values are parameters

from __future__ import annotations

from work_sql.rows import COLUMNS

COUNT_LIMIT = 10_000


class Statements:
    """Every statement as text, made once."""

    def __init__(self, table: str) -> None:
        columns = ", ".join(COLUMNS)
        self.version = f"SELECT coalesce(max(version), 0) FROM {table}_meta"
        self.upsert = (
            f"INSERT INTO {table} (namespace, queue, {columns}) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "ON DUPLICATE KEY UPDATE queue = VALUES(queue), enqueued_at = VALUES(enqueued_at), "
            "created_at = VALUES(created_at), updated_at = VALUES(updated_at), "
            "retries = VALUES(retries), payload = VALUES(payload), "
            "last_error = VALUES(last_error), deliveries = 0, lease_until = 0, lease_token = 0"
        )
        # Without the index's order InnoDB sorts, and has locked every candidate by then.
        self.due = f"""
            SELECT {columns} FROM {table} FORCE INDEX (due)
            WHERE queue = %s AND enqueued_at >= %s AND (enqueued_at > %s OR id >= %s)
              AND enqueued_at <= %s AND lease_until <= %s
            ORDER BY enqueued_at, id LIMIT %s
            FOR UPDATE SKIP LOCKED"""
        self.lease = f"""
            UPDATE {table} SET lease_until = %s, lease_token = %s, deliveries = deliveries + 1
            WHERE namespace = %s AND id IN %s"""
        held = "namespace = %s AND id IN %s AND (id, lease_token) IN %s"
        self.remove = f"DELETE FROM {table} WHERE {held}"
        self.remove_one = (
            f"DELETE FROM {table} WHERE namespace = %s AND id = %s AND lease_token = %s"
        )
        self.present = f"SELECT id FROM {table} WHERE namespace = %s AND id IN %s"
        self.present_one = f"SELECT id FROM {table} WHERE namespace = %s AND id = %s"
        self.rewrite = f"""
            UPDATE {table} SET
              queue = %s, enqueued_at = %s, created_at = %s, updated_at = %s, retries = %s,
              payload = %s, last_error = %s, deliveries = 0, lease_until = 0, lease_token = 0
            WHERE id = %s AND namespace = %s AND lease_token = %s"""
        self.held = f"SELECT id FROM {table} WHERE {held} FOR UPDATE"
        self.prolong = f"UPDATE {table} SET lease_until = %s WHERE namespace = %s AND id IN %s"
        self.set_aside = f"""
            UPDATE {table} SET queue = %s WHERE namespace = %s AND id IN %s AND queue = %s"""
        # Rows in flight stand in front of those due later: a few are looked at for the first lease
        # to end, more are found by polling.
        self.next_due = f"""
            SELECT min(visible_at) FROM (
              (SELECT greatest(enqueued_at, lease_until) AS visible_at FROM {table}
               WHERE queue = %s ORDER BY enqueued_at, id LIMIT 100)
              UNION ALL
              (SELECT enqueued_at FROM {table}
               WHERE queue = %s AND enqueued_at > %s ORDER BY enqueued_at, id LIMIT 1)) AS next"""
        in_queue = "namespace = %s AND id IN %s AND queue = %s"
        self.find = f"SELECT {columns} FROM {table} WHERE {in_queue}"
        self.found = f"SELECT id FROM {table} WHERE {in_queue} FOR UPDATE"
        self.delete = f"DELETE FROM {table} WHERE namespace = %s AND id IN %s"
        self.count = f"""
            SELECT count(*), coalesce(sum(enqueued_at <= %s AND lease_until <= %s), 0) FROM (
              SELECT enqueued_at, lease_until FROM {table} FORCE INDEX (due)
              WHERE queue = %s ORDER BY enqueued_at, id LIMIT {COUNT_LIMIT + 1}) AS front"""
        self.oldest = f"""
            SELECT enqueued_at FROM {table} FORCE INDEX (due)
            WHERE queue = %s AND enqueued_at <= %s AND lease_until <= %s
            ORDER BY enqueued_at, id LIMIT 1"""
        self.next_key = f"SELECT min(queue) FROM {table} WHERE queue > %s"
        self.page = f"""
            SELECT {columns} FROM {table} FORCE INDEX (due)
            WHERE queue = %s AND enqueued_at >= %s AND (enqueued_at > %s OR id > %s)
            ORDER BY enqueued_at, id LIMIT %s"""
        self.lock_slot = f"SELECT slot FROM {table}_slot WHERE slot = %s FOR UPDATE"
        self.expire_places = f"""
            DELETE FROM {table}_semaphore WHERE namespace = %s AND `key` = %s AND `until` <= %s"""
        self.others = f"""
            SELECT count(*) FROM {table}_semaphore
            WHERE namespace = %s AND `key` = %s AND holder <> %s"""
        self.acquire = f"""
            INSERT INTO {table}_semaphore (namespace, `key`, holder, `until`)
            VALUES (%s, %s, %s, %s)
            ON DUPLICATE KEY UPDATE `until` = VALUES(`until`)"""
        self.release = f"""
            DELETE FROM {table}_semaphore WHERE namespace = %s AND `key` = %s AND holder = %s"""
        # Assignments run from left to right: the owner is decided by the old time.
        self.claim = f"""
            INSERT INTO {table}_once (namespace, `key`, owner, `until`) VALUES (%s, %s, %s, %s)
            ON DUPLICATE KEY UPDATE
              owner = IF(`until` <= %s, VALUES(owner), owner),
              `until` = IF(`until` <= %s, VALUES(`until`), `until`)"""
        self.owner = f"SELECT owner FROM {table}_once WHERE namespace = %s AND `key` = %s"
        self.expire_claims = f"DELETE FROM {table}_once WHERE `until` <= %s LIMIT 1000"
        self.forget = f"""
            DELETE FROM {table}_once WHERE namespace = %s AND `key` = %s AND owner = %s"""
