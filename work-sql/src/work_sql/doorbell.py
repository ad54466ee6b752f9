"""Let threads wait for a change of a queue, and wake them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Waiter:
    """One thread that waits at a doorbell."""

    __slots__ = ("_rung", "woken")

    def __init__(self) -> None:
        self._rung = threading.Event()
        self.woken = False

    def ring(self) -> None:
        """End the ``wait``, or the next one."""
        self._rung.set()

    def listen(self) -> None:
        """Forget earlier rings; call it before looking for jobs, and no later ring is missed."""
        self._rung.clear()

    def wait(self, timeout: float) -> None:
        """Wait at most *timeout* seconds for a ring since ``listen``."""
        self._rung.wait(timeout)


class Doorbell:
    """A bell for every queue at which somebody waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[str, list[Waiter]] = {}
        self.somebody_waits = threading.Event()

    @contextmanager
    def waiting(self, key: str) -> Iterator[Waiter]:
        """Yield a waiter that hears the rings for queue *key*."""
        waiter = Waiter()
        with self._lock:
            self._waiters.setdefault(key, []).append(waiter)
            self.somebody_waits.set()
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters[key].remove(waiter)
                if not self._waiters[key]:
                    del self._waiters[key]
                if not self._waiters:
                    self.somebody_waits.clear()

    def ring(self, key: str) -> None:
        """Make those who wait for queue *key* look again."""
        if key in self._waiters:  # a ring without a waiter costs no lock
            with self._lock:
                for waiter in self._waiters.get(key, ()):
                    waiter.ring()

    def ring_all(self) -> None:
        """Make everybody look again."""
        with self._lock:
            self._ring_everybody()

    def wake(self) -> None:
        """Make everybody give up waiting."""
        with self._lock:
            for waiters in self._waiters.values():
                for waiter in waiters:
                    waiter.woken = True
            self._ring_everybody()

    def _ring_everybody(self) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.ring()
