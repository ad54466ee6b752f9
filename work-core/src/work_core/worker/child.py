"""A supervised worker's side of the line to its supervisor.

The line is a socket. Twice a second the child tells how it does. When the supervisor is gone, and
even a SIGKILL closes a socket, the child stops as it would on SIGTERM, so none is left alone.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, NamedTuple

from work_core.worker.health import QueueHealth, health_of

if TYPE_CHECKING:
    import socket

    from work_core.worker.worker import Worker

INTERVAL = 0.5
STARTING = 0.05
"""Seconds between two reports until the worker runs, so that others start soon."""


class Report(NamedTuple):
    """What a child tells its supervisor.

    Attributes:
        finished: how many runs have ended since its start.
        overdue: ids of the jobs that overran their timeout by the grace period.
        queues: how each queue does; empty until the worker runs.
        patience: the longest timeout of its tasks plus the grace period; ``None`` when one has no
            timeout. A child that is silent for longer runs a job that keeps Python from running.
    """

    finished: int
    overdue: list[str]
    queues: list[QueueHealth]
    patience: float | None

    def to_line(self) -> bytes:
        """Return the report as a line of JSON."""
        return json.dumps(self).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Report:
        """Return the report that ``to_line`` wrote."""
        finished, overdue, queues, patience = json.loads(line)
        return cls(finished, overdue, [QueueHealth(*each) for each in queues], patience)


class Line:
    """Report on *worker* over *connection* from a thread, until ``close``."""

    def __init__(self, worker: Worker, connection: socket.socket) -> None:
        self._worker = worker
        self._connection = connection
        self._patience = _patience(worker)
        self._closed = threading.Event()
        # Before the first job runs: it may be the one that keeps Python from running.
        self._send(self._report())
        self._thread = threading.Thread(target=self._talk, name="work-line", daemon=True)
        self._thread.start()

    def close(self, finished: int | None = None) -> None:
        """Say for the last time how many runs have ended, where it is known, and hang up."""
        self._closed.set()
        self._thread.join(5.0)
        if finished is not None:
            self._send(Report(finished, [], [], None))
        self._connection.close()

    def _talk(self) -> None:
        self._connection.settimeout(0.05)
        while not self._closed.wait(INTERVAL if self._worker.last_fetch else STARTING):
            self._send(self._report())
            if self._hung_up():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _report(self) -> Report:
        worker = self._worker
        overdue = [job.id for job in worker.overdue(worker.grace)]
        return Report(worker.finished, overdue, health_of(worker), self._patience)

    def _send(self, report: Report) -> None:
        try:
            self._connection.sendall(report.to_line())
        except OSError:
            return  # the next look finds out whether the supervisor is gone

    def _hung_up(self) -> bool:
        try:
            return self._connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def _patience(worker: Worker) -> float | None:
    served = {queue.queue_id for queue in worker.queues}
    tasks = [task for task in worker.app.tasks.values() if task.queue_id in served]
    timeouts = [task.running.timeout for task in tasks if task.running.timeout is not None]
    return max(timeouts) + worker.grace if timeouts and len(timeouts) == len(tasks) else None
