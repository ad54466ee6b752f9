"""Looking jobs up by id and deleting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.capabilities import JobFinder
from work_core.job import QueueName
from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import ids

if TYPE_CHECKING:
    from work_core.testing.conformance.queue_under_test import QueueUnderTest


class Finding(Area, capability=JobFinder):
    """``find`` and ``delete``: what is deleted stays deleted."""

    def test_find_answers_in_order(self, queue: QueueUnderTest) -> None:
        """``find`` returns the job of each id in the order asked, ``None`` where there is none."""
        queue.enqueue(queue.job(b"1", id="one"), queue.job(b"2", id="two", due=queue.travel.unit))
        found = _finder(queue).find(queue.name, ["two", "none", "one", "two"])
        assert [job and (job.id, job.payload) for job in found] == [
            ("two", b"2"),
            None,
            ("one", b"1"),
            ("two", b"2"),
        ]

    def test_find_gives_every_field(self, queue: QueueUnderTest) -> None:
        """A found job has all its fields, and no lease."""
        put = queue.job(b"payload", due=queue.travel.unit)
        put.retries, put.last_error = 2, "ValueError: x"
        queue.enqueue(put)
        [found] = _finder(queue).find(queue.name, [put.id])
        assert found == put

    def test_leased_job_is_found(self, queue: QueueUnderTest) -> None:
        """A leased job is found, without its lease, which goes on."""
        put = queue.put()
        [leased] = queue.dequeue()
        [found] = _finder(queue).find(queue.name, [put.id])
        assert found is not None
        assert (found.id, found.lease) == (put.id, None)
        assert queue.dequeue() == []
        assert queue.ack(leased) == []

    def test_done_job_is_not_found(self, queue: QueueUnderTest) -> None:
        """An acked job is not found."""
        put = queue.put()
        queue.ack(*queue.dequeue())
        assert _finder(queue).find(queue.name, [put.id]) == [None]

    def test_find_looks_in_one_queue(self, queue: QueueUnderTest) -> None:
        """A job of another queue is not found, nor deleted."""
        put = queue.put()
        other = QueueName(queue.name.namespace, "other")
        assert _finder(queue).find(other, [put.id]) == [None]
        assert _finder(queue).delete(other, [put.id]) == [False]
        assert ids(queue.dequeue()) == [put.id]

    def test_find_nothing(self, queue: QueueUnderTest) -> None:
        """No ids, no jobs."""
        assert _finder(queue).find(queue.name, []) == []
        assert _finder(queue).delete(queue.name, []) == []

    def test_find_and_delete_in_bulk(self, queue: QueueUnderTest) -> None:
        """1,200 ids in one call are found, and deleted."""
        jobs = [queue.job() for _ in range(1200)]
        queue.enqueue(*jobs)
        found = _finder(queue).find(queue.name, ids(jobs))
        assert [job and job.id for job in found] == ids(jobs)
        assert _finder(queue).delete(queue.name, ids(jobs)) == [True] * 1200
        assert queue.dequeue() == []

    def test_delete_tells_what_was_there(self, queue: QueueUnderTest) -> None:
        """``delete`` answers for each id whether the job was there, and the job is gone."""
        put = queue.put()
        assert _finder(queue).delete(queue.name, [put.id, "none"]) == [True, False]
        assert _finder(queue).delete(queue.name, [put.id]) == [False]
        assert queue.dequeue() == []

    def test_scheduled_job_can_be_deleted(self, queue: QueueUnderTest) -> None:
        """A deleted job that was scheduled never comes."""
        put = queue.put(due=queue.travel.unit)
        assert _finder(queue).delete(queue.name, [put.id]) == [True]
        queue.expire()
        assert queue.dequeue() == []

    def test_deleted_job_is_not_extended(self, queue: QueueUnderTest) -> None:
        """Extending the lease of a deleted job is lost and does not bring it back."""
        put = queue.put()
        [job] = queue.dequeue()
        assert _finder(queue).delete(queue.name, [put.id]) == [True]
        assert queue.extend(job, seconds=queue.travel.unit) == [put.id]
        queue.expire()
        assert queue.dequeue() == []
        assert _finder(queue).find(queue.name, [put.id]) == [None]

    def test_deleted_job_is_not_rescheduled(self, queue: QueueUnderTest) -> None:
        """Rescheduling a deleted job is lost and does not bring it back."""
        put = queue.put()
        [job] = queue.dequeue()
        assert _finder(queue).delete(queue.name, [put.id]) == [True]
        assert queue.reschedule(job) == [put.id]
        assert queue.dequeue() == []
        assert _finder(queue).find(queue.name, [put.id]) == [None]

    def test_deleted_job_may_be_acked(self, queue: QueueUnderTest) -> None:
        """Acking a job that was deleted while it ran is no error, and not a lost lease."""
        put = queue.put()
        [job] = queue.dequeue()
        _finder(queue).delete(queue.name, [put.id])
        assert queue.ack(job) == []

    def test_deleted_id_may_be_used_again(self, queue: QueueUnderTest) -> None:
        """After a delete the id is free, and the old holder has no right to the new job."""
        put = queue.put(b"old")
        [stale] = queue.dequeue()
        _finder(queue).delete(queue.name, [put.id])
        queue.put(b"new", id=put.id)
        assert queue.ack(stale) == [put.id]
        [job] = queue.dequeue()
        assert (job.payload, job.deliveries) == (b"new", 1)


def _finder(queue: QueueUnderTest) -> JobFinder:
    assert isinstance(queue.backend, JobFinder)
    return queue.backend
