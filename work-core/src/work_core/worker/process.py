"""One child of the supervisor: its process, its line, and what it last said."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from work_core.worker.child import Report
from work_core.worker.health import stale

if TYPE_CHECKING:
    from collections.abc import Sequence

SILENCE = 5.0
"""Seconds without a report after which a child is said to be silent."""


class Process:
    """Start *command* as a worker that reports; ``--line FD`` is added to it.

    A session of its own keeps a Ctrl-C in the terminal from reaching the child twice.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.line, theirs = socket.socketpair()
        self.line.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
                [*command, "--line", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.started = time.monotonic()
        self.heard = self.started
        self.report: Report | None = None
        self.runs = False
        self.left: float | None = None
        self._received = b""

    def listen(self) -> bool:
        """Read what has come over the line; return False once the child has hung up."""
        connected = False
        try:
            while received := self.line.recv(65536):
                self._received += received
        except BlockingIOError:
            connected = True
        except ConnectionError:
            pass
        *lines, self._received = self._received.split(b"\n")
        if lines:
            self.report = Report.from_line(lines[-1])
            self.runs = self.runs or bool(self.report.queues)
            self.heard = time.monotonic()
        return connected

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or ``None`` while it runs."""
        return self._process.poll()

    def leave(self) -> None:
        """Ask the child to stop gracefully, once."""
        if self.left is None:
            self.left = time.monotonic()
            self.send(signal.SIGTERM)

    def send(self, number: int) -> None:
        """Send signal *number*."""
        self._process.send_signal(number)

    def close(self) -> None:
        """Hang up, after the child has ended."""
        self._process.wait()
        self.line.close()

    def memory(self) -> int:
        """Return the resident memory in bytes; 0 where the system does not tell."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def silence(self) -> float:
        """Return for how many seconds nothing was heard."""
        return time.monotonic() - self.heard

    def problems(self, limit: float) -> list[str]:
        """Return what is wrong with this child; see ``health.Source``."""
        if self.report is None or not self.runs:
            return [f"worker {self.pid} is starting"]
        if self.silence() > min(limit, SILENCE):
            return [f"worker {self.pid} has not reported for {self.silence():.0f} s"]
        age = self.silence()
        queues = [each._replace(silence=each.silence + age) for each in self.report.queues]
        return [f"worker {self.pid}: {line}" for line in stale(queues, limit)]
