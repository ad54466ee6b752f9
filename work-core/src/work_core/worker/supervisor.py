"""The supervisor of ``work worker --processes N``: start workers, watch them, replace them.

Children are fresh interpreters, not forks: threads, locks and connections do not survive a fork,
and a child that starts after a change loads what is on disk.
"""

from __future__ import annotations

import logging
import selectors
import signal
import time
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from work_core.worker.process import Process
from work_core.worker.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from work_core.worker.health import Page

logger = logging.getLogger("work")

TICK = 0.25
SETTLED = 10.0
"""Seconds after which a child counts as having lived: the next one starts without a delay."""

LONGEST_DELAY = 30.0
ATTEMPTS = 5
"""How many children in a row may die before they ran a worker."""

MARGIN = 5.0
"""Seconds beyond the grace period until a child that does not stop is killed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a child is replaced, and how it is stopped.

    Attributes:
        jobs: after about this many runs; counted when it reports, twice a second.
        memory: above this many bytes of resident memory.
        grace: seconds that its running jobs get, and that a job may overrun its timeout.
    """

    jobs: int | None = None
    memory: int | None = None
    grace: float = 25.0


class _Slot:
    """One of the N places for a child."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Process | None = None
        self.deaths = 0
        self.start_at = 0.0
        self.done = False

    def problems(self, limit: float) -> list[str]:
        # Read once: this is asked from another thread.
        process = self.process
        return process.problems(limit) if process else [f"worker {self.number} is down"]


class Supervisor:
    """Run *count* children of *command*.

    Args:
        command: the arguments of a worker process.
        count: how many.
        limits: when a child is replaced.
        drain: whether a child that ends with exit code 0 is done rather than replaced.
        changed: tells whether the code has changed, so that all children are replaced.
        metrics: makes the metrics page of all children.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        limits: Limits,
        *,
        drain: bool = False,
        changed: Callable[[], bool] | None = None,
        metrics: Callable[[], Page | None] | None = None,
    ) -> None:
        self.metrics = metrics or _no_metrics
        self.finished = 0
        self._command = command
        self._limits = limits
        self._drain = drain
        self._changed = changed
        self._slots = [_Slot(number + 1) for number in range(count)]
        self._ever_ran = False
        self._failed_starts = 0
        self._signals = Signals()
        self._stop_by: float | None = None
        self._exit_code = 0

    def run(self) -> int:
        """Run until a signal, a drain or a failure ends it; return the exit code.

        The first SIGTERM or SIGINT stops the children gracefully, the second at once. Call it in
        the main thread.
        """
        with selectors.DefaultSelector() as selector, self._signals.waking(selector):
            try:
                while not self._over():
                    self._step(selector)
            finally:
                self._kill_all()
        return self._exit_code

    def problems(self, limit: float) -> list[str]:
        """Return what keeps all children from being healthy; one healthy child is enough."""
        found = [slot.problems(limit) for slot in self._slots]
        return list(chain.from_iterable(found)) if all(found) else []

    # -- one step ---------------------------------------------------------------------------------

    def _step(self, selector: selectors.BaseSelector) -> None:
        if self._stop_by is None:
            self._start_missing(selector)
        for key, _ in selector.select(TICK):
            if not isinstance(key.data, Process):
                key.data()
            elif not key.data.listen():
                selector.unregister(key.data.line)
        for slot in self._slots:
            if slot.process is not None:
                self._watch(slot, slot.process, selector)
        self._obey_signals()
        if self._stop_by is None and self._changed is not None and self._changed():
            self._replace_all()

    def _over(self) -> bool:
        idle = all(slot.process is None for slot in self._slots)
        finished = self._stop_by is not None or all(slot.done for slot in self._slots)
        return idle and finished

    def _start_missing(self, selector: selectors.BaseSelector) -> None:
        for slot in self._slots:
            if slot.process is None and not slot.done and time.monotonic() >= slot.start_at:
                slot.process = Process(self._command)
                selector.register(slot.process.line, selectors.EVENT_READ, slot.process)
            if not self._ever_ran:
                # Until one has shown that it can run, do not fail N times over.
                return

    def _watch(self, slot: _Slot, process: Process, selector: selectors.BaseSelector) -> None:
        if process.exit_code() is not None:
            if process.line in selector.get_map():
                process.listen()
                selector.unregister(process.line)
            process.close()
            slot.process = None
            self._bury(slot, process)
            return
        if process.runs:
            self._ever_ran = True
            self._failed_starts = 0
        self._enforce(slot, process)

    def _enforce(self, slot: _Slot, process: Process) -> None:
        reason = self._beyond_help(process)
        if reason:
            logger.error("worker %d (pid %d) is killed: %s", slot.number, process.pid, reason)
            process.send(signal.SIGKILL)
        elif process.left is None and (reason := self._over_limit(process)):
            logger.info("worker %d (pid %d) is replaced: %s", slot.number, process.pid, reason)
            process.leave()

    def _beyond_help(self, process: Process) -> str:
        patience = self._limits.grace + MARGIN
        if process.left is not None and time.monotonic() - process.left > patience:
            return f"it did not stop within {patience:g} s"
        report = process.report
        if report is None:
            return ""
        if report.overdue:
            jobs = ", ".join(report.overdue)
            return f"timeout plus {self._limits.grace:g} s of grace are over for job {jobs}"
        if report.patience is not None and process.silence() > report.patience:
            return (
                f"a job keeps it from answering for {process.silence():.0f} s, beyond every timeout"
            )
        return ""

    def _over_limit(self, process: Process) -> str:
        limits, report = self._limits, process.report
        if limits.jobs is not None and report is not None and report.finished >= limits.jobs:
            return f"it has run {report.finished} jobs"
        if limits.memory is not None and (used := process.memory()) > limits.memory:
            return f"it uses {used >> 20} MiB of memory"
        return ""

    # -- ends -------------------------------------------------------------------------------------

    def _bury(self, slot: _Slot, process: Process) -> None:
        code = process.exit_code() or 0
        if process.report is not None:
            self.finished += process.report.finished
        if self._stop_by is not None:
            self._exit_code = self._exit_code or max(0, code)
        elif process.left is not None:
            slot.deaths = 0
        elif code == 0 and self._drain:
            slot.done = True
            self._ever_ran = True
        elif not process.runs and self._cannot_start(code):
            self._exit_code = code if code > 0 else 1
            self._stop()
        else:
            self._delay(slot, process, code)

    def _cannot_start(self, code: int) -> bool:
        self._failed_starts += 1
        if self._changed is not None:
            return False
        # An exit code is an answer, and the same next time; a signal came from somewhere else.
        if (code > 0 and not self._ever_ran) or self._failed_starts >= ATTEMPTS:
            logger.error("workers cannot start (%s); giving up", _ending(code))
            return True
        return False

    def _delay(self, slot: _Slot, process: Process, code: int) -> None:
        lived = time.monotonic() - process.started
        slot.deaths = 0 if lived > SETTLED else slot.deaths + 1
        delay = min(LONGEST_DELAY, 0.5 * 2**slot.deaths) if slot.deaths else 0.0
        slot.start_at = time.monotonic() + delay
        logger.error(
            "worker %d (pid %d) ended with %s after %.0f s; starting another in %.1f s",
            slot.number,
            process.pid,
            _ending(code),
            lived,
            delay,
        )

    # -- stopping and replacing -------------------------------------------------------------------

    def _stop(self) -> None:
        if self._stop_by is None:
            self._stop_by = time.monotonic() + self._limits.grace + MARGIN
        for slot in self._slots:
            if slot.process is not None:
                slot.process.leave()

    def _replace_all(self) -> None:
        logger.info("the code has changed; replacing the workers")
        for slot in self._slots:
            slot.start_at = 0.0
            if slot.process is not None:
                slot.process.leave()

    def _obey_signals(self) -> None:
        if self._signals.count == 1 and self._stop_by is None:
            logger.info("stopping; a second signal stops at once")
            self._stop()
        elif self._signals.count > 1:
            self._exit_code = 128 + self._signals.last
            self._kill_all()
        elif self._stop_by is not None and time.monotonic() > self._stop_by:
            logger.error("workers did not stop within the grace period and are killed")
            self._exit_code = 1
            self._kill_all()

    def _kill_all(self) -> None:
        for slot in self._slots:
            if slot.process is not None and slot.process.exit_code() is None:
                slot.process.send(signal.SIGKILL)


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _no_metrics() -> None:
    return None
