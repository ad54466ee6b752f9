"""Notice that another process has committed to the file."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from work_sql.sqlite.inotify import Inotify

if TYPE_CHECKING:
    from work_sql.doorbell import Doorbell
    from work_sql.sqlite.connections import Connections

logger = logging.getLogger("work")

# Without inotify: `PRAGMA data_version` costs 3 us; the pauses cost 6, 3 and 1 % of a core.
_PAUSES = ((1.0, 0.001), (10.0, 0.005), (float("inf"), 0.020))
# A commit shows in `data_version` a moment after its last write to the log.
_SETTLING = 0.02
_LONGEST_SLEEP = 1.0
_AFTER_AN_ERROR = 1.0


class Watch:
    """A thread that rings everybody when the file has changed, while somebody waits."""

    def __init__(self, connections: Connections, doorbell: Doorbell) -> None:
        self._connections = connections
        self._doorbell = doorbell
        self._stopped = False
        self._inotify = _inotify(Path(connections.path))
        self._thread = threading.Thread(target=self._run, name="work-sqlite-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        if self._inotify is not None:
            self._inotify.end()
        self._doorbell.somebody_waits.set()
        self._thread.join()
        if self._inotify is not None:
            self._inotify.close()

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
        stirred = time.monotonic()
        while not self._stopped:
            if not self._doorbell.somebody_waits.is_set():
                self._doorbell.somebody_waits.wait()
                seen = -1
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != seen:
                seen = version
                stirred = time.monotonic()
                self._doorbell.ring_all()
            if self._rest(time.monotonic() - stirred):
                stirred = time.monotonic()

    def _rest(self, quiet: float) -> bool:
        """Pause after *quiet* seconds without a change; tell whether the file stirs."""
        if self._inotify is None:
            time.sleep(next(pause for limit, pause in _PAUSES if quiet <= limit))
            return False
        if quiet > _SETTLING:
            return self._inotify.wait(_LONGEST_SLEEP)
        time.sleep(_PAUSES[0][1])
        return False


def _inotify(path: Path) -> Inotify | None:
    try:
        return Inotify(path.absolute())
    except OSError:
        return None  # another system, or too many watches: polling does as well, at a cost
