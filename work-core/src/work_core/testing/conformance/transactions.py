"""Enqueueing and acking in a transaction of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.capabilities import TransactionalEnqueue
from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import ids

if TYPE_CHECKING:
    from work_core.testing.conformance.queue_under_test import QueueUnderTest


class Transactions(Area, capability=TransactionalEnqueue):
    """``enqueue`` and ``ack`` with ``connection=``: the caller's commit decides."""

    def test_job_exists_from_the_commit_on(self, queue: QueueUnderTest, connection: Any) -> None:
        """A job enqueued on the caller's connection is there after its commit, and not before."""
        queue.dequeue()
        job = queue.job(b"payload")
        _transactional(queue).enqueue(queue.name, [job], connection=connection)
        assert queue.dequeue() == []
        connection.commit()
        [found] = queue.dequeue()
        assert (found.id, found.payload) == (job.id, b"payload")

    def test_rolled_back_job_never_was(self, queue: QueueUnderTest, connection: Any) -> None:
        """A job enqueued on the caller's connection goes with its rollback."""
        queue.dequeue()
        _transactional(queue).enqueue(queue.name, [queue.job()], connection=connection)
        connection.rollback()
        assert queue.dequeue() == []

    def test_ack_counts_from_the_commit_on(self, queue: QueueUnderTest, connection: Any) -> None:
        """A job acked on the caller's connection is gone after its commit."""
        queue.put()
        jobs = queue.dequeue()
        assert _transactional(queue).ack(queue.name, jobs, connection=connection) == []
        connection.commit()
        queue.expire()
        assert queue.dequeue() == []

    def test_rolled_back_ack_never_was(self, queue: QueueUnderTest, connection: Any) -> None:
        """A job acked on the caller's connection comes back after its rollback."""
        put = queue.put()
        jobs = queue.dequeue()
        assert _transactional(queue).ack(queue.name, jobs, connection=connection) == []
        connection.rollback()
        queue.expire()
        assert ids(queue.dequeue()) == [put.id]

    def test_lost_lease_is_told_in_the_transaction(
        self, queue: QueueUnderTest, connection: Any
    ) -> None:
        """Ack by a stale holder on the caller's connection is lost and changes nothing."""
        queue.put()
        [stale] = queue.dequeue()
        queue.expire()
        [holder] = queue.dequeue()
        lost = _transactional(queue).ack(queue.name, [stale], connection=connection)
        connection.commit()
        assert ids(lost) == [stale.id]
        assert queue.ack(holder) == []

    def test_without_connection_it_is_an_enqueue(self, queue: QueueUnderTest) -> None:
        """With no connection the job is stored when the call returns."""
        job = queue.job()
        _transactional(queue).enqueue(queue.name, [job], connection=None)
        [found] = queue.dequeue()
        assert _transactional(queue).ack(queue.name, [found], connection=None) == []
        queue.expire()
        assert queue.dequeue() == []


def _transactional(queue: QueueUnderTest) -> TransactionalEnqueue:
    assert isinstance(queue.backend, TransactionalEnqueue)
    return queue.backend
