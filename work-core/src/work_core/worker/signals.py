"""Signals for a loop that waits in a selector: counted, and never missed."""

from __future__ import annotations

import selectors
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """How often a stopping signal came, and which one came last."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0

    @contextmanager
    def waking(self, selector: selectors.BaseSelector) -> Iterator[None]:
        """Make *selector* return when a stopping signal comes or a child ends, in the block.

        The data of the key that it then returns is a function to call.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            selector.register(ours, selectors.EVENT_READ, lambda: _empty(ours))
            previous = {each: signal.signal(each, self._note) for each in STOPPING}
            previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _wake_only)
            wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
            try:
                yield
            finally:
                signal.set_wakeup_fd(wakeup)
                for each, handler in previous.items():
                    signal.signal(each, handler)
                selector.unregister(ours)

    def _note(self, number: int, _frame: object) -> None:
        self.count += 1
        self.last = number


def _empty(ours: socket.socket) -> None:
    try:
        while ours.recv(4096):
            pass
    except BlockingIOError:
        pass


def _wake_only(_number: int, _frame: object) -> None:
    """Let the wake-up descriptor do the rest."""
