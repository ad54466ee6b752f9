"""Sleep until somebody writes to a file: Linux's inotify, which costs an idle process nothing."""

from __future__ import annotations

import ctypes
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IN_MODIFY = 0x2
_IN_CREATE = 0x100
_EVENTS = 65536


class Inotify:
    """Tell when anything in the folder of *path* is written or made.

    The folder, since SQLite's log beside the file comes and goes.

    Raises:
        OSError: where the system has no inotify, or no more of it to give.
    """

    def __init__(self, path: Path) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError("inotify is a part of Linux")
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._end = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        folder = os.fsencode(path.parent)
        try:
            _checked(libc.inotify_add_watch(self._events, folder, _IN_MODIFY | _IN_CREATE))
        except OSError:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._events, select.POLLIN)
        self._poll.register(self._end, select.POLLIN)

    def wait(self, timeout: float) -> bool:
        """Wait at most *timeout* seconds for a write or ``end``; tell whether there was one."""
        ready = self._poll.poll(timeout * 1000)
        if any(descriptor == self._events for descriptor, _ in ready):
            os.read(self._events, _EVENTS)
        return bool(ready)

    def end(self) -> None:
        """Make every ``wait`` return at once from now on."""
        os.eventfd_write(self._end, 1)

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._events)
        os.close(self._end)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
