"""Hear of new jobs from other processes."""

from __future__ import annotations

import logging
import random
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_sql.doorbell import Doorbell

logger = logging.getLogger("work")

_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Listener:
    """A thread with a connection that listens, outside of any transaction.

    Attributes:
        hears: whether the connection is up; while it is not, consumers poll.
    """

    def __init__(
        self, connect: Callable[[], psycopg.Connection], channel: str, doorbell: Doorbell
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._doorbell = doorbell
        self._stopped = threading.Event()
        self._stop, self._stopping = socket.socketpair()
        self.hears = False
        self._thread = threading.Thread(target=self._run, name="work-listen", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._stop.send(b"x")
        self._thread.join()
        self._stop.close()
        self._stopping.close()

    def _run(self) -> None:
        pause = _SHORTEST_PAUSE
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._hear()
            except psycopg.Error as error:
                logger.warning("not listening for new jobs, polling instead: %s", error)
            served = time.monotonic() - began > _LONGEST_PAUSE
            pause = _SHORTEST_PAUSE if served else min(2 * pause, _LONGEST_PAUSE)
            self._stopped.wait(random.uniform(pause / 2, pause))

    def _hear(self) -> None:
        with self._connect() as connection:
            connection.execute(f'LISTEN "{self._channel}"'.encode())
            self.hears = True
            self._doorbell.ring_all()  # what was missed while nobody listened
            try:
                self._listen(connection)
            finally:
                self.hears = False

    def _listen(self, connection: psycopg.Connection) -> None:
        server = connection.pgconn
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._stopping, selectors.EVENT_READ)
            while not self._stopped.is_set():
                selector.select()
                server.consume_input()
                while (notification := server.notifies()) is not None:
                    self._doorbell.ring(notification.extra.decode())
