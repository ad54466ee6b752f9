"""Ending sync handlers that overrun: an exception raised in their thread.

Python delivers it at the next bytecode of that thread, so a handler inside a long C call (a socket
without a timeout, ``time.sleep``) is ended only when that call returns. Where that is not enough,
run with ``--processes``: the supervisor replaces a child that overruns.
"""

from __future__ import annotations

import ctypes
import math
import threading
import time
from typing import TYPE_CHECKING, Any

from work_core.errors import JobTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.job import Job
    from work_core.middleware import HandleContext

    Call = Callable[[Job, HandleContext], Any]

_raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc


class _Run:
    """One guarded run; ``lock`` decides the race between its end and its timeout."""

    __slots__ = ("deadline", "job", "lock", "state", "thread")

    def __init__(self, job: Job, deadline: float) -> None:
        self.job = job
        self.deadline = deadline
        self.thread = threading.get_ident()
        self.lock = threading.Lock()
        self.state = "running"


class Watchdog:
    """Watch guarded handlers from one thread, which starts with the first of them."""

    def __init__(self) -> None:
        self._runs: dict[int, _Run] = {}
        self._changed = threading.Condition()
        self._awaited = math.inf
        self._thread: threading.Thread | None = None
        self._stopping = False

    def guarded(self, call: Call, timeout: float) -> Call:
        """Return *call* ended by ``JobTimeout`` after *timeout* seconds."""

        def run(job: Job, context: HandleContext) -> Any:
            guard = _Run(job, time.monotonic() + timeout)
            self._watch(guard)
            try:
                result = call(job, context)
                self._end(guard)
            except _Overrun:
                raise JobTimeout(f"job {job.id} ran longer than {timeout:g} s") from None
            except BaseException:
                self._end_after_error(guard)
                raise
            finally:
                self._runs.pop(guard.thread, None)
            return result

        return run

    def overdue(self, by: float) -> list[Job]:
        """Return the jobs that still run *by* seconds after their timeout."""
        limit = time.monotonic() - by
        return [run.job for run in list(self._runs.values()) if run.deadline < limit]

    def stop(self) -> None:
        """End the watching thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def _watch(self, run: _Run) -> None:
        with self._changed:
            self._runs[run.thread] = run
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._patrol, name="work-timeouts", daemon=True
                )
                self._thread.start()
            # Mostly an earlier timeout is awaited already: no thread is woken for this run.
            if run.deadline < self._awaited:
                self._changed.notify()

    def _end(self, run: _Run) -> None:
        with run.lock:
            if run.state == "running":
                run.state = "ended"
                return
        self._absorb(run)
        raise _Overrun

    def _end_after_error(self, run: _Run) -> None:
        # The handler failed by itself at the very moment of its timeout: its own error counts.
        try:
            self._end(run)
        except _Overrun:
            return

    @staticmethod
    def _absorb(run: _Run) -> None:
        """Take back the exception if it has not been delivered yet."""
        _raise_in_thread(ctypes.c_ulong(run.thread), None)

    def _patrol(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                waiting = [run for run in self._runs.values() if run.state == "running"]
                self._awaited = min((run.deadline for run in waiting), default=math.inf)
                now = time.monotonic()
                if self._awaited > now:
                    self._changed.wait(min(self._awaited - now, threading.TIMEOUT_MAX))
                    continue
            for run in waiting:
                if run.deadline <= now:
                    self._overrun(run)

    @staticmethod
    def _overrun(run: _Run) -> None:
        with run.lock:
            if run.state == "running":
                run.state = "overrun"
                _raise_in_thread(ctypes.c_ulong(run.thread), ctypes.py_object(_Overrun))


class _Overrun(BaseException):
    """Ends a handler; no ``except Exception`` of the handler may swallow it."""
