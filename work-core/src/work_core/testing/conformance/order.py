"""Which job comes first, and when it may come at all."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import ids

if TYPE_CHECKING:
    from work_core.testing.conformance.queue_under_test import QueueUnderTest


class Order(Area):
    """Oldest due first, and never early."""

    def test_first_in_first_out(self, queue: QueueUnderTest) -> None:
        """Jobs enqueued one after the other come out in that order."""
        jobs = [queue.put() for _ in range(20)]
        assert ids(queue.dequeue()) == ids(jobs)

    def test_oldest_due_first(self, queue: QueueUnderTest) -> None:
        """The due time decides, whatever the ids and the order of enqueueing."""
        unit = queue.travel.unit
        queue.enqueue(queue.job(id="a", due=-unit), queue.job(id="b", due=-3 * unit))
        queue.put(id="c", due=-2 * unit)
        assert ids(queue.dequeue()) == ["b", "c", "a"]

    def test_close_due_times_are_told_apart(self, queue: QueueUnderTest) -> None:
        """Due times further apart than the declared ``resolution`` come out in their order."""
        step = max(2 * queue.backend.resolution, 0.001)
        jobs = [queue.job(id=f"{9 - n}", due=(n - 9) * step) for n in range(10)]
        queue.enqueue(*random.sample(jobs, len(jobs)))
        assert ids(queue.dequeue()) == ids(jobs)

    def test_equal_due_times_come_in_id_order(self, queue: QueueUnderTest) -> None:
        """Jobs due at the same moment come out in the order of their ids."""
        now = queue.travel.now
        jobs = [queue.job(id=f"job {number:02d}") for number in range(30)]
        for job in jobs:
            job.enqueued_at = now
        queue.enqueue(*random.sample(jobs, len(jobs)))
        assert ids(queue.dequeue()) == ids(jobs)

    def test_order_holds_across_calls(self, queue: QueueUnderTest) -> None:
        """Dequeueing one by one gives the same order as dequeueing all at once."""
        unit = queue.travel.unit
        jobs = [queue.job(due=(number - 6) * unit) for number in range(6)]
        queue.enqueue(*reversed(jobs))
        one_by_one = [queue.dequeue(1)[0].id for _ in jobs]
        assert one_by_one == ids(jobs)

    def test_limit_is_kept(self, queue: QueueUnderTest) -> None:
        """A call leases at most ``limit`` jobs, and the rest stays for others."""
        queue.enqueue(*[queue.job() for _ in range(5)])
        first = queue.backend.dequeue(queue.name, 3, at=queue.travel.now, lease=queue.travel.unit)
        assert 1 <= len(first) <= 3
        assert len(queue.dequeue()) == 5 - len(first)

    @pytest.mark.parametrize("limit", [0, -1])
    def test_no_limit_no_job(self, queue: QueueUnderTest, limit: int) -> None:
        """A ``limit`` of 0 or less leases nothing and does not wait."""
        queue.put()
        wait = 3600.0
        now = queue.travel.now
        assert queue.backend.dequeue(queue.name, limit, at=now, lease=60, wait=wait) == []
        [job] = queue.dequeue()
        assert job.deliveries == 1

    def test_delay_is_never_early(self, queue: QueueUnderTest) -> None:
        """A scheduled job is hidden until it is due, and comes within ``resolution`` after that."""
        travel = queue.travel
        put = queue.put(due=travel.unit)
        assert queue.dequeue() == []
        travel.to(put.enqueued_at - timedelta(seconds=travel.margin))
        assert queue.dequeue() == []
        travel.to(put.enqueued_at + timedelta(seconds=queue.backend.resolution))
        assert ids(queue.dequeue()) == [put.id]

    def test_far_future_is_accepted(self, queue: QueueUnderTest) -> None:
        """A job due at the end of time is stored, hidden, and in nobody's way."""
        far = queue.job(id="far")
        far.enqueued_at = datetime.max.replace(tzinfo=UTC)
        queue.enqueue(far, queue.job(id="near"))
        assert ids(queue.dequeue()) == ["near"]

    def test_long_overdue_is_accepted(self, queue: QueueUnderTest) -> None:
        """A job due since 1970 comes first."""
        old = queue.job(id="old")
        old.enqueued_at = datetime(1970, 1, 1, tzinfo=UTC)
        queue.enqueue(queue.job(id="new"), old)
        assert ids(queue.dequeue()) == ["old", "new"]

    def test_scheduled_jobs_do_not_block_due_ones(self, queue: QueueUnderTest) -> None:
        """Jobs that are not due do not count against ``limit``."""
        unit = queue.travel.unit
        queue.enqueue(*[queue.job(due=unit * 10) for _ in range(20)])
        put = queue.put()
        assert ids(queue.dequeue(1)) == [put.id]
