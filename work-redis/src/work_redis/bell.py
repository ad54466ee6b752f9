"""Sleep until a connection has something to say or another thread rings."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress


class Bell:
    """What a thread sleeps on; the thread that made it waits, any other may ring."""

    def __init__(self, connection: socket.socket) -> None:
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)
        self._outside.setblocking(False)
        # Not select(): it fails in a process that holds more than 1024 files open.
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(self._inside, selectors.EVENT_READ)

    def ring(self) -> None:
        """End the wait that goes on, or else the next one."""
        # A full buffer rings already, and a closed bell has nobody to wake.
        with suppress(OSError):
            self._outside.send(b"!")

    def wait(self, timeout: float) -> None:
        """Return when the connection can be read, after a ring, or after *timeout* seconds."""
        self._selector.select(timeout)
        with suppress(BlockingIOError):
            while self._inside.recv(64):
                pass

    def close(self) -> None:
        """Let go of everything but the connection."""
        self._selector.close()
        self._inside.close()
        self._outside.close()
