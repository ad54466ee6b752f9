"""Count and time jobs for Prometheus."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from work_core.capabilities import MetricsExporter
from work_core.errors import BackendError, ConfigError, Discard, Snooze
from work_core.hookspecs import hookimpl
from work_core.job import utc_now

try:
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        REGISTRY,
        CollectorRegistry,
        generate_latest,
    )
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

    from work_middleware.metrics import QUEUE_GAUGES, Metrics, QueueMetrics
except ImportError as error:
    raise ImportError(
        f"{error}; try: pip install 'work-middleware[prometheus]'", name=error.name
    ) from error

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from prometheus_client import Metric

    from work_core.backend import Backend
    from work_core.job import Job, QueueName
    from work_core.middleware import DequeueRequest, EnqueueBatch, HandleContext

BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
WAIT_BUCKETS = (0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)

_known: WeakKeyDictionary[CollectorRegistry, tuple[object, Metrics]] = WeakKeyDictionary()
"""Prometheus has a metric once per registry, however many plug-in objects count in it."""


class Prometheus:
    """Export the Go library's metrics, under its names, and what on-call needs besides.

    ``work worker --metrics-port`` serves them; a program that enqueues serves its registry as it
    likes. *buckets* are the limits, in seconds, of the histogram of run times, *wait_buckets*
    those of the life and waiting times. Right with several processes: the supervisor sets
    ``PROMETHEUS_MULTIPROC_DIR``. It surrounds the other middleware wherever it stands in the list.
    Needs ``prometheus-client``. In ``work.toml``::

        plugins = [{ name = "prometheus", buckets = [0.01, 0.1, 1, 10] }]
    """

    def __init__(
        self,
        buckets: Sequence[float] = BUCKETS,
        wait_buckets: Sequence[float] = WAIT_BUCKETS,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        limits = (_ascending("buckets", buckets), _ascending("wait_buckets", wait_buckets))
        self.registry = registry
        self._metrics = _metrics(registry, limits)
        self._queues: dict[QueueName, QueueMetrics] = {}

    @hookimpl(wrapper=True, tryfirst=True)
    def work_enqueue(self, batch: EnqueueBatch) -> Generator[None, list[Job], list[Job]]:
        """Count what was enqueued, and what was not."""
        queue = self._of(batch.queue)
        try:
            stored = yield
        except BaseException:
            queue.enqueue_failed.inc(len(batch.jobs))
            raise
        queue.enqueued.inc(len(stored))
        if batch.duplicates:
            queue.duplicates.inc(len(batch.duplicates))
        return stored

    @hookimpl(wrapper=True, tryfirst=True)
    def work_dequeue(self, request: DequeueRequest) -> Generator[None, list[Job], list[Job]]:
        """Count deliveries."""
        jobs = yield
        if jobs:
            queue = self._of(request.queue)
            queue.in_flight.inc(len(jobs))
            queue.delivered.inc(len(jobs))
            redelivered = sum(job.deliveries > 1 for job in jobs)
            if redelivered:
                queue.redelivered.inc(redelivered)
        return jobs

    @hookimpl(wrapper=True, tryfirst=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Time the run, and count how it ends."""
        queue = self._of(context.queue)
        queue.wait.observe(max(0.0, (utc_now() - job.enqueued_at).total_seconds()))
        queue.busy.inc()
        began = perf_counter()
        try:
            result = yield
        except BaseException as error:
            _count_failure(queue, error)
            raise
        else:
            queue.succeeded.inc()
            queue.execution_time.observe(perf_counter() - began)
            queue.life_time.observe(max(0.0, (utc_now() - job.created_at).total_seconds()))
            return result
        finally:
            queue.busy.dec()
            queue.in_flight.dec()
            if context.lease_lost:
                queue.leases_lost.inc()

    @hookimpl
    def work_jobs_returned(self, queue: QueueName, jobs: list[Job]) -> None:
        """Forget the jobs that are not in flight any more."""
        self._of(queue).in_flight.dec(len(jobs))

    @hookimpl
    def work_metrics_page(self, backend: Backend, queues: list[QueueName]) -> tuple[str, bytes]:
        """Return the metrics of all processes, and of the queues as the store has them now."""
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if directory:
            _mark_the_dead(directory)
            shared = CollectorRegistry()
            MultiProcessCollector(shared, directory)  # type: ignore[no-untyped-call]
            page = generate_latest(shared)
        else:
            page = generate_latest(self.registry)
        waiting = CollectorRegistry()
        waiting.register(_Waiting(backend, queues))
        return CONTENT_TYPE_LATEST, page + generate_latest(waiting)

    def _of(self, queue: QueueName) -> QueueMetrics:
        found = self._queues.get(queue)
        if found is None:
            found = self._queues[queue] = QueueMetrics(self._metrics, queue)
        return found


class _Waiting:
    """Ask the store what waits, when Prometheus asks us."""

    def __init__(self, backend: Backend, queues: list[QueueName]) -> None:
        self._backend = backend
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; a store that cannot count, or is away, leaves its queues out."""
        families = [
            GaugeMetricFamily(name, text, labels=("namespace", "queue"))
            for name, text in QUEUE_GAUGES.items()
        ]
        if isinstance(self._backend, MetricsExporter):
            with suppress(BackendError):
                for queue in self._queues:
                    found = self._backend.metrics(queue, at=utc_now())
                    for family, value in zip(families, found, strict=False):
                        family.add_metric(queue, value)
        yield from families


def _count_failure(queue: QueueMetrics, error: BaseException) -> None:
    if isinstance(error, Snooze):
        queue.snoozed.inc()
        return
    queue.failed.inc()
    if isinstance(error, Discard):
        queue.discarded(error)
    elif isinstance(error, Exception):
        queue.retried(error)


def _metrics(registry: CollectorRegistry, limits: tuple[tuple[float, ...], ...]) -> Metrics:
    found = _known.get(registry)
    if found is None:
        found = _known[registry] = (limits, Metrics(registry, *limits))
    if found[0] != limits:
        raise ConfigError(
            f"buckets {limits} differ from {found[0]}, which this process's registry has; "
            "give all prometheus plug-ins the same"
        )
    return found[1]


def _ascending(name: str, limits: Sequence[float]) -> tuple[float, ...]:
    numbers = isinstance(limits, list | tuple) and all(
        isinstance(limit, int | float) and not isinstance(limit, bool) for limit in limits
    )
    if not numbers or not limits or list(limits) != sorted(set(limits)) or limits[0] <= 0:
        raise ConfigError(
            f"{name} must be a list of ascending seconds like [0.1, 1, 10], not {limits!r}"
        )
    return tuple(float(limit) for limit in limits)


def _mark_the_dead(directory: str) -> None:
    """Forget what processes that were killed had running."""
    for file in Path(directory).glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _lives(int(pid)):
            mark_process_dead(int(pid), directory)  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
