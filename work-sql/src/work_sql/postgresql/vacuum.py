"""Vacuum the job table where jobs flow faster than autovacuum comes by.

Autovacuum looks once a minute; at 5,000 jobs a second that is 300,000 dead rows. One process,
elected by a place with a time limit, vacuums after every ``EVERY`` acks that it has made itself: 15
to 20 ms each.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import psycopg

from work_sql.postgresql.health import read_health

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_sql.postgresql.connections import Connections
    from work_sql.postgresql.schema import Names

logger = logging.getLogger("work")

EVERY = 20_000
_APART = 5.0
_DUTY = 20
_WARN_APART = 300.0


class Vacuum:
    """Counts acks and vacuums in a thread of its own when it is time."""

    def __init__(
        self, connections: Connections, names: Names, elect: Callable[[float], bool]
    ) -> None:
        self._connections = connections
        self._names = names
        self._elect = elect
        self._acks = 0
        self._next = 0.0
        self._next_warning = 0.0
        self._running = threading.Lock()
        self._refused = False

    def acked(self, count: int) -> None:
        """Note *count* more dead rows. Threads may race: the count need not be exact."""
        self._acks += count
        if self._acks >= EVERY and time.monotonic() >= self._next and not self._refused:
            self._acks = 0
            self._next = time.monotonic() + _APART
            threading.Thread(target=self._run, name="work-vacuum", daemon=True).start()

    def _run(self) -> None:
        if not self._running.acquire(blocking=False):
            return
        try:
            if self._elect(_APART):
                began = time.monotonic()
                self._vacuum()
                now = time.monotonic()
                # Behind a held snapshot a vacuum reads more and more, in vain.
                self._next = now + max(_APART, _DUTY * (now - began))
        except psycopg.Error as error:
            logger.warning("could not vacuum %s: %s", self._names.job, error)
        finally:
            self._running.release()

    def _vacuum(self) -> None:
        with self._connections.consuming() as connection:
            connection.add_notice_handler(self._heard)
            try:
                # TRUNCATE would lock the table against everybody; SKIP_LOCKED never waits for a
                # lock.
                connection.execute(
                    f"VACUUM (TRUNCATE OFF, SKIP_LOCKED) {self._names.job}".encode(), prepare=False
                )
            finally:
                connection.remove_notice_handler(self._heard)
            if time.monotonic() >= self._next_warning:
                self._warn(connection)

    def _warn(self, connection: psycopg.Connection) -> None:
        for warning in read_health(connection, self._names).warnings():
            self._next_warning = time.monotonic() + _WARN_APART
            logger.warning("%s: %s", self._names.job, warning)

    def _heard(self, notice: psycopg.errors.Diagnostic) -> None:
        # A missing right is a notice, not an error.
        if "permission denied" in (notice.message_primary or ""):
            self._refused = True
            logger.warning(
                "this role may not vacuum %s; make it the table's owner, or give vacuum=0 "
                "and see to it that autovacuum comes by often enough",
                self._names.job,
            )
