"""The lane of sync handlers: threads that run jobs from a buffer and take turns at fetching.

No job is handed from thread to thread: a thread that finds the buffer empty becomes the fetcher,
and then runs what it fetched. While handlers are short one thread does everything and the others
sleep: under the GIL they could only get in its way. While handlers are long, as many threads are
awake as there are jobs. A caretaker looks every few milliseconds whether a handler takes longer
than it used to, and then wakes another thread, sends the acks that wait, or gives back what the
buffer holds.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from work_core.worker.context import running
from work_core.worker.lane import Lane
from work_core.worker.settlement import take

if TYPE_CHECKING:
    from work_core.job import Job
    from work_core.middleware import HandleContext

STALL = 0.005
"""Seconds without a finished job after which the caretaker steps in."""

LONG = 0.001
"""Seconds per job from which more threads than one are worth their switches."""

HOARD = 0.5
"""Seconds without a finished job after which buffered jobs go back to the queue."""


class ThreadLane(Lane):
    """Run sync handlers on at most ``concurrency`` threads, started as they are needed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._buffer: deque[Job] = deque()
        self._buffer_expires = 0.0
        self._flushed = 0.0
        self._running: dict[int, tuple[Job, HandleContext]] = {}
        self._counts: dict[int, int] = {}
        self._threads: list[threading.Thread] = []
        self._fetching = threading.Lock()
        self._called = threading.Condition()
        self._sleepers = 0
        self._caretaker: threading.Thread | None = None
        self._care = threading.Event()

    @property
    def finished(self) -> int:
        """How many runs have ended."""
        return sum(list(self._counts.values()))

    def start(self) -> None:
        """Start the first thread; others start when there is work for them."""
        self._call(1)

    def stop(self) -> None:
        """Stop fetching and give back what waits in the buffer."""
        self.stopping.set()
        self._care.set()
        self._settlement.give_back(take(self._buffer))
        with self._called:
            self._called.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds for what runs; tell whether all threads have ended."""
        deadline = time.monotonic() + timeout
        with self._called:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def abandon(self) -> None:
        """Give back the jobs that still run: a thread cannot be ended, but its job can be freed."""
        left = list(self._running.values())
        for _, context in left:
            context.lease_lost = True
        self._settlement.give_back([job for job, _ in left])

    def busy(self) -> bool:
        """Tell whether a job runs, waits in the buffer, or has not been settled."""
        return bool(self._running or self._buffer or self._settlement.pending)

    def run_one(self) -> bool:
        """Fetch and run one job in the calling thread; tell whether there was one."""
        jobs = self.fetch(1, 0.0)
        for job in jobs:
            # In a context of its own, so that the caller's thread forgets the job afterwards.
            contextvars.copy_context().run(self._run, job, threading.get_ident(), time.monotonic())
        self._settlement.flush()
        return bool(jobs)

    # -- a thread at work -------------------------------------------------------------------------

    def _work(self) -> None:
        buffer = self._buffer
        ident = threading.get_ident()
        last = time.monotonic()
        job: Job | None
        try:
            while True:
                try:
                    job = buffer.popleft()
                except IndexError:
                    job = None
                if job is None:
                    if not self._refill():
                        return
                    last = time.monotonic()
                    continue
                if last > self._buffer_expires:
                    self._settlement.give_back([job, *take(buffer)])
                    continue
                last = self._run(job, ident, last)
        except Exception as error:  # noqa: BLE001 - told to whoever runs the worker
            self.failure = error
            self.on_empty()
        finally:
            self._settlement.flush()

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
            self._failed(job, handler, context, error)
        else:
            self._succeeded(job, handler, context)
        finally:
            del self._running[ident]
        self._counts[ident] = self._counts.get(ident, 0) + 1
        self._ended()
        end = self.last_end
        self._prefetch.note(end - began)
        if self._prefetch.pace > STALL and self._buffer:
            self._flush_now_and_then(end)
        return end

    def _flush_now_and_then(self, now: float) -> None:
        # Not for every job: with 64 threads and 10 ms jobs that were 46 % of the lane's time. What
        # is younger goes with the next fetch, or the caretaker sends it.
        if now - self._flushed > STALL:
            self._flushed = now
            self._settlement.flush()

    def _refill(self) -> bool:
        """Fetch, or sleep until called; return False when the thread should end."""
        if self.stopping.is_set():
            return False
        if not self._fetching.acquire(blocking=False):
            self._flush_now_and_then(time.monotonic())
            return self._sleep()
        try:
            count = 0 if self._buffer else self._fetch_batch()
        finally:
            self._fetching.release()
        if count and self._prefetch.pace > LONG:
            self._call(count)
        return True

    def _fetch_batch(self) -> int:
        jobs = self.fetch(self._prefetch.next_limit(len(self._running) + 1), self.wait)
        if not jobs:
            return 0
        now = time.monotonic()
        self.last_end = now
        # A job is started in the first half of its lease or not at all.
        self._buffer_expires = now + self.lease / 2
        self._buffer.extend(jobs)
        if self.stopping.is_set():
            self._settlement.give_back(take(self._buffer))
            return 0
        if not self._care.is_set():
            self._wake_caretaker()
        return len(jobs)

    # -- who is awake -----------------------------------------------------------------------------

    def _sleep(self) -> bool:
        with self._called:
            if self._available() or self.stopping.is_set():  # a stop calls only who sleeps already
                return True
            self._sleepers += 1
            self._called.wait()
            self._sleepers -= 1
        return not self.stopping.is_set()

    def _available(self) -> bool:
        """Tell whether there is a job or a turn at fetching for another thread."""
        return bool(self._buffer) or not self._fetching.locked()

    def _call(self, count: int) -> None:
        """Wake *count* sleeping threads, and start others where they are too few."""
        with self._called:
            if self.stopping.is_set():
                return
            self._called.notify(count)
            missing = min(count - self._sleepers, self.concurrency - len(self._threads))
            for _ in range(missing):
                number = len(self._threads) + 1
                name = f"work-{self.queue.queue_id}-{number}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)

    def _wake_caretaker(self) -> None:
        self._care.set()
        if self._caretaker is None:
            name = f"work-{self.queue.queue_id}-caretaker"
            self._caretaker = threading.Thread(target=self._take_care, name=name, daemon=True)
            self._caretaker.start()

    def _take_care(self) -> None:
        while not self.stopping.is_set():
            if self._resting():
                self._care.clear()
                if self._resting():
                    self._care.wait()
            elif not self.stopping.wait(STALL):
                self._look()

    def _resting(self) -> bool:
        # As long as the turn at fetching is free, somebody runs a job or is about to.
        at_work = self._running or self._buffer or self._settlement.pending
        return self._fetching.locked() and not at_work

    def _look(self) -> None:
        quiet = time.monotonic() - self.last_end
        if quiet < STALL:
            return
        if self._settlement.pending:
            self._settlement.flush()
        if quiet > HOARD and self._buffer:
            self._settlement.give_back(take(self._buffer))
        elif self._available():
            self._call(1)
