"""Only the holder of a lease may act on it, and everybody else is told and changes nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.backend import Backend
    from work_core.job import Job
    from work_core.testing.conformance.queue_under_test import QueueUnderTest


class Fencing(Area):
    """A stale holder changes nothing and is told."""

    def test_stale_ack_changes_nothing(self, queue: QueueUnderTest) -> None:
        """Ack by a holder whose lease expired and went to another is lost; the other acks."""
        stale, holder = _stale_and_holder(queue)
        assert queue.ack(stale) == [stale.id]
        assert queue.ack(holder) == []
        queue.expire()
        assert queue.dequeue() == []

    def test_stale_ack_keeps_the_job(self, queue: QueueUnderTest) -> None:
        """A stale ack does not remove the job that somebody else is running."""
        stale, holder = _stale_and_holder(queue)
        queue.ack(stale)
        queue.expire()
        assert ids(queue.dequeue()) == [holder.id]

    def test_stale_reschedule_changes_nothing(self, queue: QueueUnderTest) -> None:
        """Reschedule by a stale holder is lost: no field, no due time and no lease changes."""
        stale, holder = _stale_and_holder(queue)
        stale.payload, stale.retries = b"stale", 9
        assert queue.reschedule(stale) == [stale.id]
        assert queue.dequeue() == []
        queue.expire()
        [again] = queue.dequeue()
        assert (again.payload, again.retries, again.deliveries) == (b"", 0, 3)
        assert holder.id == again.id

    def test_stale_extend_changes_nothing(self, queue: QueueUnderTest) -> None:
        """Extend by a stale holder is lost: the job comes back when the holder's lease ends."""
        stale, holder = _stale_and_holder(queue)
        before = stale.lease
        assert queue.extend(stale, seconds=100 * queue.travel.unit) == [stale.id]
        assert stale.lease == before
        queue.expire()
        assert ids(queue.dequeue()) == [holder.id]

    def test_expired_lease_is_still_the_holders(self, queue: QueueUnderTest) -> None:
        """A lease that expired and that nobody took still lets its holder ack."""
        queue.put()
        [job] = queue.dequeue()
        queue.expire()
        assert queue.ack(job) == []
        assert queue.dequeue() == []

    def test_expired_lease_can_be_extended(self, queue: QueueUnderTest) -> None:
        """A lease that expired and that nobody took can be extended."""
        queue.put()
        [job] = queue.dequeue()
        queue.expire()
        assert queue.extend(job, seconds=queue.travel.unit) == []
        assert queue.dequeue() == []

    def test_expired_lease_can_be_rescheduled(self, queue: QueueUnderTest) -> None:
        """A lease that expired and that nobody took lets its holder reschedule."""
        queue.put()
        [job] = queue.dequeue()
        queue.expire()
        job.retries, job.enqueued_at = 1, queue.travel.now
        assert queue.reschedule(job) == []
        [again] = queue.dequeue()
        assert again.retries == 1

    def test_ack_races_with_extend(self, queue: QueueUnderTest) -> None:
        """The lease from before an extension still acks: extend keeps the token."""
        queue.put()
        [job] = queue.dequeue()
        before = dataclasses.replace(job)
        assert queue.extend(job, seconds=3 * queue.travel.unit) == []
        assert queue.ack(before) == []
        queue.travel(4 * queue.travel.unit)
        assert queue.dequeue() == []

    def test_replacing_voids_the_lease(self, queue: QueueUnderTest) -> None:
        """Enqueueing a leased id voids its lease: the old holder's ack is lost, the job stays."""
        put = queue.put(b"old")
        [stale] = queue.dequeue()
        queue.put(b"new", id=put.id)
        assert queue.ack(stale) == [put.id]
        [job] = queue.dequeue()
        assert job.payload == b"new"

    def test_replacing_voids_reschedule_and_extend(self, queue: QueueUnderTest) -> None:
        """The holder of a replaced job can neither reschedule nor extend."""
        put = queue.put(b"old")
        [stale] = queue.dequeue()
        queue.put(b"new", id=put.id)
        assert queue.reschedule(stale) == [put.id]
        assert queue.extend(stale, seconds=3 * queue.travel.unit) == [put.id]
        [job] = queue.dequeue()
        assert job.payload == b"new"

    def test_leases_of_one_instant_differ(self, queue: QueueUnderTest) -> None:
        """A job replaced and leased again at the same instant has a new lease; only that acks."""
        put = queue.put()
        [stale] = queue.dequeue()
        queue.enqueue(put)
        [holder] = queue.dequeue()
        assert queue.ack(stale) == [put.id]
        assert queue.reschedule(stale) == [put.id]
        assert queue.extend(stale, seconds=100 * queue.travel.unit) == [put.id]
        assert queue.ack(holder) == []
        queue.expire()
        assert queue.dequeue() == []

    def test_reschedule_ends_the_lease(self, queue: QueueUnderTest) -> None:
        """After reschedule the lease is void, even if the job is leased again at that instant."""
        queue.put()
        [job] = queue.dequeue()
        stale = dataclasses.replace(job)
        assert queue.reschedule(job) == []
        [holder] = queue.dequeue()
        assert queue.ack(stale) == [job.id]
        assert queue.ack(holder) == []

    def test_rescheduled_job_is_not_the_holders(self, queue: QueueUnderTest) -> None:
        """Acking a job that was rescheduled is lost: the job stays."""
        queue.put()
        [job] = queue.dequeue()
        assert queue.reschedule(job) == []
        assert queue.ack(job) == [job.id]
        assert ids(queue.dequeue()) == [job.id]

    def test_acking_twice_is_no_error(self, queue: QueueUnderTest) -> None:
        """Acking a job that is gone is no error, and not a lost lease."""
        queue.put()
        [job] = queue.dequeue()
        assert queue.ack(job) == []
        assert queue.ack(job) == []
        assert queue.ack(job, job) == []

    def test_done_job_is_not_brought_back(self, queue: QueueUnderTest) -> None:
        """Reschedule and extend of a job that is gone are lost and store nothing."""
        queue.put()
        [job] = queue.dequeue()
        queue.ack(job)
        assert queue.reschedule(job) == [job.id]
        assert queue.extend(job, seconds=3 * queue.travel.unit) == [job.id]
        queue.travel(4 * queue.travel.unit)
        assert queue.dequeue() == []

    def test_one_lost_lease_spares_the_others(self, queue: QueueUnderTest) -> None:
        """Of many jobs in one call exactly the lost ones are returned; the others are acked."""
        queue.enqueue(*[queue.job(id=name) for name in "abcde"])
        jobs = {job.id: job for job in queue.dequeue()}
        queue.ack(jobs["a"])
        queue.enqueue(queue.job(id="c"))
        assert queue.ack(*jobs.values()) == ["c"]
        queue.expire()
        assert ids(queue.dequeue()) == ["c"]

    def test_one_lost_lease_spares_the_rescheduled(self, queue: QueueUnderTest) -> None:
        """Of many jobs in one reschedule exactly the lost and the gone are returned."""
        queue.enqueue(*[queue.job(id=name) for name in "abcd"])
        jobs = {job.id: job for job in queue.dequeue()}
        queue.ack(jobs["a"])
        queue.enqueue(queue.job(id="c"))
        for job in jobs.values():
            job.retries = 1
        assert sorted(queue.reschedule(*jobs.values())) == ["a", "c"]
        assert {job.id: job.retries for job in queue.dequeue()} == {"b": 1, "c": 0, "d": 1}

    def test_one_lost_lease_spares_the_extended(self, queue: QueueUnderTest) -> None:
        """Of many jobs in one extend exactly the lost and the gone are returned."""
        queue.enqueue(*[queue.job(id=name) for name in "abcd"])
        jobs = {job.id: job for job in queue.dequeue()}
        queue.ack(jobs["a"])
        queue.enqueue(queue.job(id="c", due=queue.travel.unit))
        assert sorted(queue.extend(*jobs.values(), seconds=9 * queue.travel.unit)) == ["a", "c"]
        queue.expire()
        assert ids(queue.dequeue()) == ["c"]

    def test_unleased_job_cannot_be_acked(self, queue: QueueUnderTest) -> None:
        """A job without a lease is nobody's to ack, reschedule or extend."""
        put = queue.put()
        assert queue.ack(put) == [put.id]
        assert queue.reschedule(put) == [put.id]
        assert queue.extend(put, seconds=3 * queue.travel.unit) == [put.id]
        assert ids(queue.dequeue()) == [put.id]

    def test_fencing_across_objects(
        self, queue: QueueUnderTest, reopen: Callable[[], Backend]
    ) -> None:
        """Two backend objects on one store never take each other's leases for their own."""
        put, here = queue.put(), queue.backend
        [stale] = queue.dequeue()
        queue.enqueue(put)
        queue.backend = reopen()
        [holder] = queue.dequeue()
        queue.backend = here
        assert queue.ack(stale) == [put.id]
        assert queue.extend(stale, seconds=3 * queue.travel.unit) == [put.id]
        assert holder.deliveries == 1


def _stale_and_holder(queue: QueueUnderTest) -> tuple[Job, Job]:
    """Return one job as two callers see it: one whose lease is over, and the one who has it now."""
    queue.put()
    [stale] = queue.dequeue()
    queue.expire()
    [holder] = queue.dequeue()
    return stale, holder
