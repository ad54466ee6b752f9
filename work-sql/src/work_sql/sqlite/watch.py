"""Notice that another process has committed to the file."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from work_sql.doorbell import Doorbell
    from work_sql.sqlite.connections import Connections

logger = logging.getLogger("work")

# `PRAGMA data_version` costs 3 us; the pauses cost 6, 3 and 1 % of a core.
_PAUSES = ((1.0, 0.001), (10.0, 0.005), (float("inf"), 0.020))
_AFTER_AN_ERROR = 1.0


class Watch:
    """A thread that rings everybody when the file has changed, while somebody waits."""

    def __init__(self, connections: Connections, doorbell: Doorbell) -> None:
        self._connections = connections
        self._doorbell = doorbell
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="work-sqlite-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._doorbell.somebody_waits.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            try:
                connection = self._connections.open()
                try:
                    self._watch(connection)
                finally:
                    connection.close()
            except sqlite3.Error as error:
                logger.warning("cannot watch %s: %s", self._connections.path, error)
                time.sleep(_AFTER_AN_ERROR)

    def _watch(self, connection: sqlite3.Connection) -> None:
        seen = -1
        while not self._stopped:
            if not self._doorbell.somebody_waits.is_set():
                self._doorbell.somebody_waits.wait()
                seen = -1
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != seen:
                seen = version
                changed = time.monotonic()
                self._doorbell.ring_all()
            time.sleep(_pause(time.monotonic() - changed))


def _pause(idle: float) -> float:
    return next(pause for limit, pause in _PAUSES if idle <= limit)
