"""Counting what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.capabilities import MetricsExporter
from work_core.job import QueueName
from work_core.testing.conformance.area import Area

if TYPE_CHECKING:
    from work_core.capabilities import QueueMetrics
    from work_core.testing.conformance.queue_under_test import QueueUnderTest


class Counting(Area, capability=MetricsExporter):
    """``metrics``: ready, scheduled, latency."""

    def test_unknown_queue_counts_zero(self, queue: QueueUnderTest) -> None:
        """A queue that never had a job counts zero, and asking is no error."""
        assert _metrics(queue)[:3] == (0, 0, 0.0)

    def test_ready_and_scheduled_are_told_apart(self, queue: QueueUnderTest) -> None:
        """Due jobs are ready, later ones are scheduled."""
        later = [queue.job(due=9 * queue.travel.unit) for _ in range(3)]
        queue.enqueue(queue.job(), queue.job(), *later)
        assert _metrics(queue)[:2] == (2, 3)

    def test_scheduled_job_becomes_ready(self, queue: QueueUnderTest) -> None:
        """A scheduled job is ready once it is due."""
        queue.put(due=queue.travel.unit)
        queue.travel(queue.travel.unit + queue.backend.resolution)
        assert _metrics(queue)[:2] == (1, 0)

    def test_leased_job_counts_as_scheduled(self, queue: QueueUnderTest) -> None:
        """A leased job is not ready: it counts as scheduled until its lease ends, then as ready."""
        queue.enqueue(queue.job(), queue.job(), queue.job())
        queue.dequeue(2)
        assert _metrics(queue)[:2] == (1, 2)
        queue.expire()
        assert _metrics(queue)[:2] == (3, 0)

    def test_done_job_does_not_count(self, queue: QueueUnderTest) -> None:
        """An acked job counts no more."""
        queue.enqueue(queue.job(), queue.job())
        queue.ack(*queue.dequeue(1))
        assert _metrics(queue)[:2] == (1, 0)

    def test_replaced_job_counts_once(self, queue: QueueUnderTest) -> None:
        """A job that was replaced counts once."""
        put = queue.put()
        queue.enqueue(put)
        assert _metrics(queue)[:2] == (1, 0)

    def test_queues_are_counted_apart(self, queue: QueueUnderTest) -> None:
        """A job counts in its own queue only."""
        queue.put()
        backend, now = queue.backend, queue.travel.now
        assert isinstance(backend, MetricsExporter)
        other = QueueName(queue.name.namespace, "other")
        assert backend.metrics(other, at=now)[:2] == (0, 0)

    def test_latency_is_the_age_of_the_oldest(self, queue: QueueUnderTest) -> None:
        """``latency`` is for how long the oldest ready job has been due."""
        unit = queue.travel.unit
        queue.put(due=-unit)
        queue.put()
        late = abs(_metrics(queue).latency - unit)
        assert late <= max(queue.backend.resolution, queue.travel.margin)

    def test_latency_without_ready_jobs_is_zero(self, queue: QueueUnderTest) -> None:
        """With nothing ready ``latency`` is 0, not negative."""
        queue.put(due=9 * queue.travel.unit)
        assert _metrics(queue).latency == 0.0


def _metrics(queue: QueueUnderTest) -> QueueMetrics:
    assert isinstance(queue.backend, MetricsExporter)
    return queue.backend.metrics(queue.name, at=queue.travel.now)
