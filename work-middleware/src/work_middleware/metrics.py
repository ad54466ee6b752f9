"""The metrics that ``prometheus`` exports: the Go library's eight, and some for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

    from work_core.job import QueueName

_QUEUE = ("namespace", "queue")

QUEUE_GAUGES = {
    "work_job_ready": "Jobs that can be executed now",
    "work_job_scheduled": "Jobs that can be executed only later, or are being executed",
    "work_job_latency_seconds": "For how long the oldest ready job has been due",
}
"""What is read from the store when the page is asked for."""


class Metrics:
    """One registry's metrics.

    Those of the Go library keep its names, labels and meaning: ``job_executed_total`` counts every
    run, and the two histograms see the runs that succeed.
    """

    def __init__(
        self, registry: CollectorRegistry, buckets: Sequence[float], waits: Sequence[float]
    ) -> None:
        def counter(name: str, text: str, labels: Sequence[str] = _QUEUE) -> Counter:
            return Counter(f"work_job_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(
                f"work_job_{name}", text, _QUEUE, registry=registry, multiprocess_mode="livesum"
            )

        def histogram(name: str, text: str, limits: Sequence[float]) -> Histogram:
            return Histogram(f"work_job_{name}", text, _QUEUE, registry=registry, buckets=limits)

        by_status = (*_QUEUE, "status")
        by_error = (*_QUEUE, "error")
        self.execution_time = histogram(
            "execution_time_seconds", "Time for a job to run successfully", buckets
        )
        self.life_time = histogram(
            "life_time_seconds", "Time from the creation of a job to its success", waits
        )
        self.wait = histogram("wait_seconds", "Time from when a job was due to its start", waits)
        self.executed = counter("executed_total", "Runs of jobs", by_status)
        self.enqueued = counter("enqueued_total", "Jobs enqueued", by_status)
        self.duplicates = counter("duplicates_total", "Jobs that an earlier job stood for")
        self.busy = gauge("busy", "Jobs that run now")
        self.in_flight = gauge("in_flight", "Jobs that run or wait in the buffer of a worker")
        self.delivered = counter("deliveries_total", "Jobs handed to workers")
        self.redelivered = counter(
            "redeliveries_total", "Deliveries of jobs whose holder had vanished"
        )
        self.leases_lost = counter("leases_lost_total", "Jobs that lost their lease while they ran")
        self.retried = counter(
            "retries_total", "Failures that are retried, by error class", by_error
        )
        self.discarded = counter("discarded_total", "Jobs given up, by error class", by_error)
        self.snoozed = counter("snoozed_total", "Runs that put their job off without a failure")


class QueueMetrics:
    """The children of one queue, bound once: a label look-up costs more than the count."""

    __slots__ = (
        "_discarded",
        "_retried",
        "busy",
        "delivered",
        "duplicates",
        "enqueue_failed",
        "enqueued",
        "execution_time",
        "failed",
        "in_flight",
        "leases_lost",
        "life_time",
        "redelivered",
        "snoozed",
        "succeeded",
        "wait",
    )

    def __init__(self, metrics: Metrics, queue: QueueName) -> None:
        self.execution_time = metrics.execution_time.labels(*queue)
        self.life_time = metrics.life_time.labels(*queue)
        self.wait = metrics.wait.labels(*queue)
        self.succeeded = metrics.executed.labels(*queue, "success")
        self.failed = metrics.executed.labels(*queue, "failure")
        self.enqueued = metrics.enqueued.labels(*queue, "success")
        self.enqueue_failed = metrics.enqueued.labels(*queue, "failure")
        self.duplicates = metrics.duplicates.labels(*queue)
        self.busy = metrics.busy.labels(*queue)
        self.in_flight = metrics.in_flight.labels(*queue)
        self.delivered = metrics.delivered.labels(*queue)
        self.redelivered = metrics.redelivered.labels(*queue)
        self.leases_lost = metrics.leases_lost.labels(*queue)
        self.snoozed = metrics.snoozed.labels(*queue)
        self._retried = (metrics.retried, queue)
        self._discarded = (metrics.discarded, queue)

    def retried(self, error: BaseException) -> None:
        """Count a failure that is retried."""
        counter, queue = self._retried
        counter.labels(*queue, type(error).__name__).inc()

    def discarded(self, error: BaseException) -> None:
        """Count a job that is given up, by the error that did it."""
        counter, queue = self._discarded
        counter.labels(*queue, type(error.__cause__ or error).__name__).inc()
