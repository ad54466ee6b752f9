"""What makes a PostgreSQL queue slow or large, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import psycopg

    from work_sql.postgresql.schema import Names

_MANY_DEAD = 500_000
_OLD_SNAPSHOT = 1_000_000
_NOTIFY_QUEUE_FILLS = 0.25

_QUERY = """
    SELECT coalesce(pg_table_size(to_regclass(%(job)s)), 0),
           coalesce(pg_indexes_size(to_regclass(%(job)s)), 0),
           coalesce(pg_stat_get_live_tuples(to_regclass(%(job)s)), 0),
           coalesce(pg_stat_get_dead_tuples(to_regclass(%(job)s)), 0),
           coalesce((SELECT max(age(xmin)) FROM (
             SELECT backend_xmin FROM pg_stat_activity WHERE backend_xmin IS NOT NULL
             UNION ALL SELECT xmin FROM pg_replication_slots WHERE xmin IS NOT NULL
             UNION ALL SELECT transaction FROM pg_prepared_xacts) AS held(xmin)), 0),
           pg_notification_queue_usage()"""


class TableHealth(NamedTuple):
    """The state of the job table.

    Attributes:
        table_bytes: the table with its large values. index_bytes: its indexes. live_rows: rows that
        are jobs, as the statistics have it. dead_rows: rows that vacuum has not removed yet, as the
        statistics have it. held_transactions: how many transactions old the oldest open snapshot
        is: nothing younger can be
            vacuumed.
        notification_queue: how full the server's queue of notifications is, from 0 to 1.
    """

    table_bytes: int
    index_bytes: int
    live_rows: int
    dead_rows: int
    held_transactions: int
    notification_queue: float

    def warnings(self) -> list[str]:
        """Return a sentence for each number that needs somebody's attention."""
        found = []
        if self.held_transactions > _OLD_SNAPSHOT:
            found.append(
                f"a snapshot {self.held_transactions:,} transactions old keeps dead rows from "
                "being vacuumed; look for a long transaction (pg_stat_activity), an unused "
                "replication slot or a prepared transaction"
            )
        if self.dead_rows > max(_MANY_DEAD, 2 * self.live_rows):
            found.append(
                f"{self.dead_rows:,} dead rows beside {self.live_rows:,} jobs: "
                "vacuum does not keep up, or may not remove what the oldest open snapshot, "
                f"{self.held_transactions:,} transactions old, still sees"
            )
        if self.notification_queue > _NOTIFY_QUEUE_FILLS:
            found.append(
                f"the notification queue is {self.notification_queue:.0%} full: "
                "a session that listens is stuck in a transaction"
            )
        return found


def read_health(connection: psycopg.Connection, names: Names) -> TableHealth:
    """Read the numbers of the job table; needs no special rights."""
    cursor = connection.execute(_QUERY, {"job": names.job})
    return TableHealth(*cursor.fetchall()[0])
