"""The right to run a job: how long it lasts, what it hides, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import ids

if TYPE_CHECKING:
    from work_core.testing.conformance.queue_under_test import QueueUnderTest


class Leases(Area):
    """A leased job is hidden, comes back when its holder vanishes, and goes when it is done."""

    def test_leased_job_is_hidden(self, queue: QueueUnderTest) -> None:
        """A leased job is given to nobody else while the lease lasts."""
        queue.put()
        [job] = queue.dequeue()
        assert job.lease is not None
        assert queue.dequeue() == []
        queue.travel.to(job.lease.until - timedelta(seconds=queue.travel.margin))
        assert queue.dequeue() == []

    def test_lease_tells_its_end(self, queue: QueueUnderTest) -> None:
        """``lease.until`` is an aware time, ``lease`` seconds from now."""
        travel = queue.travel
        queue.put()
        expected = travel.after(travel.unit)
        [job] = queue.dequeue()
        assert job.lease is not None
        late = (job.lease.until - expected).total_seconds()
        assert abs(late) <= max(queue.backend.resolution, travel.margin)

    def test_expired_lease_brings_the_job_back(self, queue: QueueUnderTest) -> None:
        """When a lease ends without an ack the job is delivered again, unchanged."""
        put = queue.put(b"payload")
        queue.dequeue()
        queue.expire()
        [again] = queue.dequeue()
        assert (again.id, again.payload, again.retries) == (put.id, b"payload", 0)
        assert queue.dequeue() == []

    def test_deliveries_are_counted(self, queue: QueueUnderTest) -> None:
        """``deliveries`` is 1 on the first lease and grows with every redelivery."""
        queue.put()
        counts = []
        for _ in range(3):
            [job] = queue.dequeue()
            counts.append(job.deliveries)
            queue.expire()
        assert counts == [1, 2, 3]

    def test_acked_job_is_gone(self, queue: QueueUnderTest) -> None:
        """An acked job never comes back."""
        queue.put()
        [job] = queue.dequeue()
        assert queue.ack(job) == []
        queue.expire()
        assert queue.dequeue() == []

    def test_ack_spares_the_others(self, queue: QueueUnderTest) -> None:
        """Acking some of the leased jobs leaves the others to be redelivered."""
        queue.enqueue(*[queue.job(id=name) for name in "abcd"])
        jobs = {job.id: job for job in queue.dequeue()}
        assert queue.ack(jobs["b"], jobs["d"]) == []
        queue.expire()
        assert sorted(ids(queue.dequeue())) == ["a", "c"]

    def test_rescheduled_job_comes_when_due(self, queue: QueueUnderTest) -> None:
        """A rescheduled job is hidden until its ``enqueued_at``, not until the old lease's end."""
        travel = queue.travel
        put = queue.put()
        [job] = queue.dequeue()
        job.enqueued_at = due = travel.after(3 * travel.unit)
        assert queue.reschedule(job) == []
        travel.to(due - timedelta(seconds=travel.margin))
        assert queue.dequeue() == []
        travel.to(due + timedelta(seconds=queue.backend.resolution))
        assert ids(queue.dequeue()) == [put.id]

    def test_rescheduled_job_may_be_due_at_once(self, queue: QueueUnderTest) -> None:
        """A job given back as due is there for the next caller without waiting for the lease."""
        put = queue.put()
        [job] = queue.dequeue(lease=100 * queue.travel.unit)
        assert queue.reschedule(job) == []
        assert ids(queue.dequeue()) == [put.id]

    def test_reschedule_stores_the_fields(self, queue: QueueUnderTest) -> None:
        """Reschedule writes retries, error, times and payload as they are now."""
        queue.put(b"old")
        [job] = queue.dequeue()
        job.retries, job.last_error, job.payload = 3, "ValueError: nö", b"new"
        job.updated_at = queue.travel.now
        assert queue.reschedule(job) == []
        [again] = queue.dequeue()
        assert (again.retries, again.last_error, again.payload) == (3, "ValueError: nö", b"new")
        assert again.updated_at == job.updated_at
        assert again.created_at == job.created_at

    def test_reschedule_starts_the_count_again(self, queue: QueueUnderTest) -> None:
        """After reschedule the next delivery is the first again."""
        queue.put()
        queue.dequeue()
        queue.expire()
        [job] = queue.dequeue()
        assert job.deliveries == 2
        assert queue.reschedule(job) == []
        [again] = queue.dequeue()
        assert again.deliveries == 1

    def test_replacing_starts_the_count_again(self, queue: QueueUnderTest) -> None:
        """After a job is replaced the next delivery is the first again."""
        put = queue.put()
        queue.dequeue()
        queue.enqueue(put)
        [again] = queue.dequeue()
        assert again.deliveries == 1

    def test_extended_lease_hides_longer(self, queue: QueueUnderTest) -> None:
        """An extended lease hides the job until its new end, and no longer."""
        travel = queue.travel
        put = queue.put()
        [job] = queue.dequeue()
        until = travel.after(3 * travel.unit)
        assert queue.extend(job, seconds=3 * travel.unit) == []
        travel.to(until - timedelta(seconds=travel.margin))
        assert queue.dequeue() == []
        travel.to(until + timedelta(seconds=travel.margin + queue.backend.resolution))
        [again] = queue.dequeue()
        assert (again.id, again.deliveries) == (put.id, 2)

    def test_extend_sets_the_lease(self, queue: QueueUnderTest) -> None:
        """Extend sets ``lease.until`` on the job and keeps its token."""
        travel = queue.travel
        queue.put()
        [job] = queue.dequeue()
        assert job.lease is not None
        token, expected = job.lease.token, travel.after(3 * travel.unit)
        assert queue.extend(job, seconds=3 * travel.unit) == []
        late = (job.lease.until - expected).total_seconds()
        assert abs(late) <= max(queue.backend.resolution, travel.margin)
        assert job.lease.token == token

    def test_extending_to_now_gives_the_job_back(self, queue: QueueUnderTest) -> None:
        """A lease that is extended to an earlier end ends there."""
        put = queue.put()
        [job] = queue.dequeue(lease=100 * queue.travel.unit)
        assert queue.extend(job, seconds=queue.travel.unit) == []
        queue.expire()
        assert ids(queue.dequeue()) == [put.id]

    def test_extended_job_can_be_acked(self, queue: QueueUnderTest) -> None:
        """The holder of an extended lease acks as before."""
        queue.put()
        [job] = queue.dequeue()
        queue.extend(job, seconds=3 * queue.travel.unit)
        queue.expire()
        assert queue.ack(job) == []
        queue.travel(4 * queue.travel.unit)
        assert queue.dequeue() == []

    def test_exchange_acks_and_leases(self, queue: QueueUnderTest) -> None:
        """``exchange`` acks what is done and leases what is due."""
        queue.enqueue(queue.job(id="a"), queue.job(id="b"))
        [done] = queue.dequeue(1)
        now, unit = queue.travel.now, queue.travel.unit
        lost, jobs = queue.backend.exchange(queue.name, [done], 10, at=now, lease=unit)
        assert (lost, ids(jobs)) == ([], ["b"])
        assert jobs[0].deliveries == 1
        assert queue.ack(*jobs) == []
        queue.expire()
        assert queue.dequeue() == []

    def test_exchange_tells_what_was_lost(self, queue: QueueUnderTest) -> None:
        """``exchange`` returns the jobs whose lease somebody else holds, and leaves them alone."""
        queue.put()
        [stale] = queue.dequeue()
        queue.expire()
        [holder] = queue.dequeue()
        now, unit = queue.travel.now, queue.travel.unit
        lost, jobs = queue.backend.exchange(queue.name, [stale], 10, at=now, lease=unit)
        assert (ids(lost), jobs) == ([stale.id], [])
        assert queue.ack(holder) == []

    def test_exchange_without_limit_only_acks(self, queue: QueueUnderTest) -> None:
        """``exchange`` with a limit of 0 only acks; with nothing done it only leases."""
        queue.enqueue(queue.job(id="a"), queue.job(id="b"))
        [done] = queue.dequeue(1)
        now, unit = queue.travel.now, queue.travel.unit
        assert queue.backend.exchange(queue.name, [done], 0, at=now, lease=unit) == ([], [])
        lost, jobs = queue.backend.exchange(queue.name, [], 10, at=now, lease=unit)
        assert (lost, ids(jobs)) == ([], ["b"])
