"""Tell other processes of new jobs, seldom enough to cost the producers nothing.

A NOTIFY in the producer's transaction takes a lock that every other committer waits for: 16
producers fall from 14,800 to 4,000 commits a second. So a thread sends them on a connection of its
own, at once for the first job and then for all queues together at most a hundred times a second.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

import psycopg

from work_core.errors import WorkError

if TYPE_CHECKING:
    from work_sql.postgresql.connections import Connections

logger = logging.getLogger("work")

INTERVAL = 0.01
_LONGEST_FLUSH = 1.0
_NOTIFY = "SELECT pg_notify(%b, queue) FROM unnest(%b::text[]) AS queue"


class Notifier:
    """A thread that sends what was marked."""

    def __init__(self, connections: Connections, channel: str) -> None:
        self._connections = connections
        self._channel = channel
        self._lock = threading.Lock()
        self._marked: set[str] = set()
        self._wanted = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._process = 0

    def mark(self, key: str) -> None:
        """Have queue *key* announced within ``INTERVAL`` seconds."""
        with self._lock:
            self._marked.add(key)
            if self._process != os.getpid() and not self._stopped:
                self._start()
        self._wanted.set()

    def _start(self) -> None:
        self._process = os.getpid()  # threads do not survive a fork
        self._thread = threading.Thread(target=self._run, name="work-notify", daemon=True)
        self._thread.start()
        # A script that enqueues and ends must still wake the worker.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Send what is marked and end the thread."""
        atexit.unregister(self.stop)
        thread = self._thread
        self._stopped = True
        self._wanted.set()
        if thread is not None and self._process == os.getpid():
            thread.join(_LONGEST_FLUSH)

    def _run(self) -> None:
        while not (self._stopped and not self._marked):
            self._wanted.wait()
            self._wanted.clear()
            with self._lock:
                keys, self._marked = list(self._marked), set()
            if keys:
                self._send(keys)
            if not self._stopped:
                time.sleep(INTERVAL)

    def _send(self, keys: list[str]) -> None:
        try:
            with self._connections.consuming() as connection:
                connection.execute(_NOTIFY, [self._channel, keys])
        except (psycopg.Error, WorkError) as error:
            # Consumers look by themselves once a second; a wake-up is never worth an error.
            logger.debug("could not announce jobs on %s: %s", self._channel, error)
