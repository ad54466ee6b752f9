"""The lane of sync handlers: threads that run jobs from a buffer and take turns at fetching.

No job is handed from thread to thread: a thread that finds the buffer empty becomes the fetcher, and then
runs what it fetched. While handlers are short, one thread does everything and the others sleep (under the
GIL they could only get in its way); one of them stands by, looks every few milliseconds, and steps in
when a handler takes long. While handlers are long, as many threads are awake as there are jobs.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from work_core.worker.context import running
from work_core.worker.lane import Lane

if TYPE_CHECKING:
    from work_core.job import Job
    from work_core.middleware import HandleContext

STALL = 0.005
"""Seconds without a finished job after which the thread on standby steps in."""

LONG = 0.001
"""Seconds per job from which more threads than one are worth their switches."""


class ThreadLane(Lane):
    """Run sync handlers on at most ``concurrency`` threads, started as they are needed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._buffer: deque[Job] = deque()
        self._buffer_expires = 0.0
        self._running: dict[int, tuple[Job, HandleContext]] = {}
        self._counts: dict[int, int] = {}
        self._threads: list[threading.Thread] = []
        self._fetching = threading.Lock()
        self._changed = threading.Condition()
        self._idlers = 0
        self._standby = False

    @property
    def finished(self) -> int:
        """How many runs have ended."""
        return sum(list(self._counts.values()))

    def start(self) -> None:
        """Start the first thread; it starts others when there is work for them."""
        with self._changed:
            self._spawn()

    def stop(self) -> None:
        """Stop fetching and give back what waits in the buffer."""
        self.stopping.set()
        self.give_back(self._take(self._buffer))
        with self._changed:
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds for the running jobs; tell whether all threads have ended."""
        deadline = time.monotonic() + timeout
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def abandon(self) -> None:
        """Give back the jobs that still run: a thread cannot be ended, but its job can be freed."""
        left = list(self._running.values())
        for _, context in left:
            context.lease_lost = True
        self.give_back([job for job, _ in left])

    def busy(self) -> bool:
        """Tell whether a job runs, waits in the buffer, or has not been settled."""
        return bool(self._running or self._buffer or self._done or self._back)

    def run_one(self) -> bool:
        """Fetch and run one job in the calling thread; tell whether there was one."""
        jobs = self.fetch(1, 0.0)
        for job in jobs:
            self._run(job, threading.get_ident(), time.monotonic())
        self.flush()
        return bool(jobs)

    # -- threads ----------------------------------------------------------------------------------

    def _spawn(self) -> None:
        name = f"work-{self.queue.queue_id}-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        buffer = self._buffer
        ident = threading.get_ident()
        self._counts[ident] = 0
        last = time.monotonic()
        try:
            while True:
                try:
                    job = buffer.popleft()
                except IndexError:
                    if not self._refill():
                        return
                    last = time.monotonic()
                    continue
                if last > self._buffer_expires:
                    self.give_back([job, *self._take(buffer)])
                    continue
                last = self._run(job, ident, last)
        except Exception as error:  # noqa: BLE001 - told to whoever runs the worker
            self.failure = error
            self.on_empty()
        finally:
            self.flush()

    def _run(self, job: Job, ident: int, began: float) -> float:
        """Run one job to its outcome and return the time of its end."""
        handler = self.dispatch(job)
        context = self._context(job, handler)
        current = (job, context)
        running.set(current)
        self._running[ident] = current
        try:
            handler.run(job, context)
        except BaseException as error:  # noqa: BLE001 - a handler may raise SystemExit, too
            del self._running[ident]
            self._failed(job, handler, context, error)
        else:
            del self._running[ident]
            self._succeeded(job, handler, context)
        self._counts[ident] = self._counts.get(ident, 0) + 1
        end = time.monotonic()
        self.last_end = end
        self._note_pace(end - began)
        if self._pace > STALL and self._buffer:
            self.flush()
        return end

    # -- turns ------------------------------------------------------------------------------------

    def _refill(self) -> bool:
        """Fetch, or wait until there is something to do; return False when the thread should end."""
        if self.stopping.is_set():
            return False
        if self._fetching.acquire(blocking=False):
            try:
                count = 0 if self._buffer else self._fetch_batch()
            finally:
                self._fetching.release()
            self._call_others(count)
            return True
        self.flush()
        return self._sleep()

    def _fetch_batch(self) -> int:
        jobs = self.fetch(self._next_limit(len(self._running) + 1), self.wait)
        if not jobs:
            return 0
        now = time.monotonic()
        self.last_end = now
        if self.stopping.is_set():
            self.give_back(jobs)
            return 0
        # A job is started in the first half of its lease or not at all.
        self._buffer_expires = now + self.lease / 2
        self._buffer.extend(jobs)
        return len(jobs)

    def _call_others(self, count: int) -> None:
        """Wake or start the threads that *count* fetched jobs are worth."""
        if not count or self.concurrency == 1:
            return
        with self._changed:
            wanted = count if self._pace > LONG else 1
            missing = min(wanted - self._idlers, self.concurrency - len(self._threads))
            for _ in range(missing if self._pace > LONG else min(missing, 1)):
                self._spawn()
            self._changed.notify(wanted)

    def _sleep(self) -> bool:
        """Sleep until this thread is of use; return False when it should end."""
        with self._changed:
            self._idlers += 1
            mine = False
            try:
                while not self.stopping.is_set():
                    if self._needs_help():
                        return True
                    if not self._standby:
                        self._standby = mine = True
                    self._changed.wait(STALL if mine and self._active() else None)
            finally:
                self._idlers -= 1
                if mine:
                    self._standby = False
                    self._changed.notify()
        return False

    def _active(self) -> bool:
        return bool(self._buffer) or not self._fetching.locked()

    def _needs_help(self) -> bool:
        """Tell whether there is a job or a turn to take, and the thread at work cannot take it."""
        if not self._active():
            return False
        stalled = time.monotonic() - self.last_end > STALL
        if stalled and (self._done or self._back):
            self.flush()
        return stalled or self._pace > LONG
