"""Waiting for the first job: as long as allowed, and no longer than needed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from work_core.errors import BackendClosed
from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import QueueUnderTest, ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.backend import Backend
    from work_core.job import Job

_LONG = 60.0
PROMPT = 15.0
"""Seconds within which a call that need not wait any more must return."""

_SETTLE = 0.1


class Waiting(Area):
    """``dequeue`` with ``wait`` returns as soon as there is a job, ``wake()`` or ``close()``."""

    def test_waiting_for_nothing_ends(self, queue: QueueUnderTest) -> None:
        """With nothing due ``dequeue`` returns an empty list when ``wait`` is over."""
        now, unit = queue.travel.now, queue.travel.unit
        assert queue.backend.dequeue(queue.name, 1, at=now, lease=unit, wait=0.05) == []

    def test_due_job_needs_no_waiting(self, queue: QueueUnderTest) -> None:
        """With a job due ``dequeue`` does not wait for more."""
        put = queue.put()
        with _Waiter(queue, limit=10) as waiter:
            assert ids(waiter.result("return the job that was due")) == [put.id]

    def test_new_job_ends_the_wait(self, queue: QueueUnderTest) -> None:
        """A job that another thread enqueues is delivered at once to a caller that waits."""
        with _Waiter(queue) as waiter:
            waiter.settle()
            put = queue.put()
            assert ids(waiter.result("return when a job was enqueued")) == [put.id]

    def test_rescheduled_job_ends_the_wait(self, queue: QueueUnderTest) -> None:
        """A job that is given back is delivered at once to a caller that waits."""
        queue.put()
        [job] = queue.dequeue(lease=10 * _LONG)
        with _Waiter(queue) as waiter:
            waiter.settle()
            assert queue.reschedule(job) == []
            assert ids(waiter.result("return when a job was rescheduled")) == [job.id]

    def test_new_job_elsewhere_ends_the_wait(
        self, queue: QueueUnderTest, reopen: Callable[[], Backend]
    ) -> None:
        """A job that another backend object enqueues is delivered at once to a waiting caller."""
        other = QueueUnderTest(reopen(), queue.name, queue.travel)
        with _Waiter(queue) as waiter:
            waiter.settle()
            put = other.put()
            assert ids(waiter.result("return when a job was enqueued elsewhere")) == [put.id]

    def test_scheduled_job_ends_the_wait(self, queue: QueueUnderTest) -> None:
        """A job that becomes due during the wait is delivered then: time moves on while waiting."""
        delay = 0.2
        start = time.monotonic()
        put = queue.put(due=delay)
        with _Waiter(queue) as waiter:
            assert ids(waiter.result("return when a job became due")) == [put.id]
        assert time.monotonic() - start >= delay, "the job was delivered before it was due"

    def test_expiring_lease_ends_the_wait(self, queue: QueueUnderTest) -> None:
        """A job whose lease ends during the wait is delivered then."""
        put = queue.put()
        queue.dequeue(lease=_short(queue))
        with _Waiter(queue) as waiter:
            [job] = waiter.result("return when a lease ended")
        assert (job.id, job.deliveries) == (put.id, 2)

    def test_wake_ends_the_wait(self, queue: QueueUnderTest) -> None:
        """``wake()`` makes a waiting ``dequeue`` return early."""
        with _Waiter(queue) as waiter:
            waiter.prod(queue.backend.wake)
            assert waiter.result("return after wake()") == []

    def test_close_ends_the_wait(self, queue: QueueUnderTest) -> None:
        """``close()`` ends a waiting ``dequeue``: it returns nothing, or is ``BackendClosed``."""
        with _Waiter(queue) as waiter:
            waiter.settle()
            queue.backend.close()
            assert waiter.result("return after close()") == []

    def test_waiting_blocks_nobody(self, queue: QueueUnderTest) -> None:
        """While one thread waits, others use the backend freely."""
        other = QueueUnderTest(queue.backend, queue.name._replace(queue_id="other"), queue.travel)
        with _Waiter(queue) as waiter:
            waiter.settle()
            put = other.put()
            [job] = other.dequeue()
            assert (job.id, other.ack(job)) == (put.id, [])
            assert waiter.is_alive(), "dequeue returned although its own queue is empty"
            waiter.prod(queue.backend.wake)
            waiter.result("return after wake()")

    def test_exchange_acks_before_it_waits(self, queue: QueueUnderTest) -> None:
        """``exchange`` acks before it waits for jobs."""
        queue.put()
        [done] = queue.dequeue(lease=_short(queue))
        now, unit = queue.travel.now, queue.travel.unit
        longer = 1.5 * _short(queue) + queue.backend.resolution
        lost, jobs = queue.backend.exchange(queue.name, [done], 1, at=now, lease=unit, wait=longer)
        assert (lost, jobs) == ([], []), "the job came back although it was acked"


def _short(queue: QueueUnderTest) -> float:
    return max(0.2, queue.backend.resolution)


class _Waiter(threading.Thread):
    """A thread that waits in ``dequeue`` for much longer than the test lasts."""

    def __init__(self, queue: QueueUnderTest, limit: int = 1) -> None:
        super().__init__(daemon=True)
        self._queue = queue
        self._limit = limit
        self._calling = threading.Event()
        self._jobs: list[Job] = []
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.backend.wake()
        self.join(PROMPT)

    def run(self) -> None:
        queue = self._queue
        self._calling.set()
        try:
            self._jobs = queue.backend.dequeue(
                queue.name,
                self._limit,
                at=queue.travel.now,
                lease=queue.travel.unit,
                wait=_LONG,
            )
        except BackendClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the test
            self._error = error

    def settle(self) -> None:
        """Let the thread get from its call into the wait; without, a test holds but says less."""
        self._calling.wait()
        self.join(_SETTLE)

    def prod(self, wake: Callable[[], None]) -> None:
        """Call *wake* until the thread has returned: a wake-up before the wait wakes nobody."""
        self.settle()
        until = time.monotonic() + PROMPT
        while self.is_alive() and time.monotonic() < until:
            wake()
            self.join(_SETTLE)

    def result(self, obligation: str) -> list[Job]:
        """Return the jobs, or fail when the call did not *obligation* well before the end."""
        self.join(PROMPT)
        assert not self.is_alive(), f"a waiting dequeue did not {obligation} within {PROMPT:g} s"
        if self._error is not None:
            raise self._error
        return self._jobs
