"""What is counted and timed for Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from tests.middleware.folded import (
    QUEUE,
    PlainBackend,
    enqueued,
    fail,
    fetched,
    handled,
    make_context,
    succeed,
)

from work_core.app import App
from work_core.errors import BackendClosed, ConfigError, Discard, LeaveLeased, Snooze
from work_core.job import Job, QueueName, utc_now
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware.max_retries import MaxRetries
from work_middleware.prometheus import Prometheus
from work_middleware.unique import Unique

if TYPE_CHECKING:
    from pathlib import Path

    from work_core.backend import Backend

LABELS = {"namespace": "test", "queue": "send"}
OF_THE_GO_LIBRARY = {
    "work_job_life_time_seconds": "histogram",
    "work_job_execution_time_seconds": "histogram",
    "work_job_executed_total": "counter",
    "work_job_busy": "gauge",
    "work_job_enqueued_total": "counter",
    "work_job_ready": "gauge",
    "work_job_scheduled": "gauge",
    "work_job_latency_seconds": "gauge",
}


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry that no other test counts in."""
    return CollectorRegistry()


@pytest.fixture
def plugin(registry: CollectorRegistry) -> Prometheus:
    """Return a plug-in that counts in it."""
    return Prometheus(registry=registry)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return the value of the sample *name* of the test's queue."""
    return registry.get_sample_value(f"work_job_{name}", {**LABELS, **labels}) or 0.0


def test_a_success_is_counted_and_timed(registry: CollectorRegistry, plugin: Prometheus) -> None:
    """Its run, its life since it was created, and its wait since it was due."""
    due = utc_now() - timedelta(seconds=30)
    job = Job(created_at=due - timedelta(seconds=60), enqueued_at=due)
    handled(succeed, plugin)(job)
    assert value(registry, "executed_total", status="success") == 1
    assert value(registry, "execution_time_seconds_count") == 1
    assert 90 <= value(registry, "life_time_seconds_sum") < 95
    assert 30 <= value(registry, "wait_seconds_sum") < 35
    assert value(registry, "execution_time_seconds_sum") < 5


def test_a_failure_is_counted_by_error_class(
    registry: CollectorRegistry, plugin: Prometheus
) -> None:
    """And not timed, as in Go."""
    with pytest.raises(ValueError, match="no reason"):
        handled(fail, plugin)(Job())
    assert value(registry, "executed_total", status="failure") == 1
    assert value(registry, "retries_total", error="ValueError") == 1
    assert value(registry, "execution_time_seconds_count") == 0


def test_a_discard_is_counted_by_its_cause(registry: CollectorRegistry, plugin: Prometheus) -> None:
    """It sees the discard wherever it stands in the list."""
    with pytest.raises(Discard):
        handled(fail, MaxRetries(0), plugin)(Job())
    assert value(registry, "discarded_total", error="ValueError") == 1
    assert value(registry, "retries_total", error="ValueError") == 0
    assert value(registry, "executed_total", status="failure") == 1


@pytest.mark.parametrize(
    ("signal", "snoozed", "failed"), [(Snooze(1), 1, 0), (LeaveLeased(), 0, 1)]
)
def test_a_snooze_is_no_failure(
    registry: CollectorRegistry,
    plugin: Prometheus,
    signal: Exception,
    snoozed: int,
    failed: int,
) -> None:
    """Leaving a job leased counts as one, as in Go."""

    def handler(_: Job) -> None:
        raise signal

    with pytest.raises(type(signal)):
        handled(handler, plugin)(Job())
    assert value(registry, "snoozed_total") == snoozed
    assert value(registry, "executed_total", status="failure") == failed


def test_what_runs_and_what_is_held_can_be_seen(
    registry: CollectorRegistry, plugin: Prometheus
) -> None:
    """From the fetch to the end of each job."""
    store = MemoryBackend()
    store.enqueue(QUEUE, [Job(), Job(), Job()])
    jobs = fetched(store, plugin)(9)
    assert value(registry, "in_flight") == 3
    seen: list[float] = []
    handled(lambda _: seen.append(value(registry, "busy")), plugin)(jobs[0])
    assert seen == [1]
    assert value(registry, "busy") == 0
    plugin.work_jobs_returned(QUEUE, jobs[1:])
    assert value(registry, "in_flight") == 0


def test_redeliveries_are_counted(registry: CollectorRegistry, plugin: Prometheus) -> None:
    """A holder that vanished is worth an alarm."""
    store = MemoryBackend()
    store.enqueue(QUEUE, [Job(created_at=utc_now() - timedelta(hours=1))])
    store.dequeue(QUEUE, 1, at=utc_now() - timedelta(minutes=30), lease=1.0)
    store.enqueue(QUEUE, [Job()])
    fetched(store, plugin)(9)
    assert value(registry, "deliveries_total") == 2
    assert value(registry, "redeliveries_total") == 1


def test_a_lost_lease_is_counted(registry: CollectorRegistry, plugin: Prometheus) -> None:
    """What the heartbeat finds out ends up in an alert."""
    context = make_context()

    def handler(_: Job) -> None:
        context.lease_lost = True

    handled(handler, plugin)(Job(), context)
    assert value(registry, "leases_lost_total") == 1


def test_enqueues_are_counted(registry: CollectorRegistry, plugin: Prometheus) -> None:
    """Those that were stored, those that were not, and those for which another job stood."""
    store = MemoryBackend()
    enqueue = enqueued(store, plugin, Unique(60))
    enqueue(Job(b"x"), Job(b"x"), Job(b"y"))
    store.close()
    with pytest.raises(BackendClosed):
        enqueue(Job(b"z"))
    assert value(registry, "enqueued_total", status="success") == 2
    assert value(registry, "enqueued_total", status="failure") == 1
    assert value(registry, "duplicates_total") == 1


def test_the_page_has_the_metrics_of_the_go_library(plugin: Prometheus) -> None:
    """With its names, types and labels, so that its boards keep working."""
    store = MemoryBackend()
    enqueued(store, plugin)(Job(), Job(enqueued_at=utc_now() + timedelta(hours=1)))
    handled(succeed, plugin)(Job())
    kind, page = plugin.work_metrics_page(store, [QUEUE])
    assert kind.startswith("text/plain")
    families = {each.name: each for each in text_string_to_metric_families(page.decode())}
    for name, type_ in OF_THE_GO_LIBRARY.items():
        family = families[name.removesuffix("_total")]
        assert family.type == type_
        assert LABELS.items() <= family.samples[0].labels.items()
    assert families["work_job_ready"].samples[0].value == 1
    assert families["work_job_scheduled"].samples[0].value == 1


def test_a_store_that_cannot_count_leaves_its_gauges_out(plugin: Prometheus) -> None:
    """The rest of the page is there."""
    handled(succeed, plugin)(Job())
    _, page = plugin.work_metrics_page(PlainBackend(), [QUEUE])
    assert b"work_job_executed_total{" in page
    assert b"work_job_ready{" not in page


def test_a_store_that_is_away_does_not_take_the_page_down(plugin: Prometheus) -> None:
    """An operator needs it then more than ever."""
    store = MemoryBackend()
    store.close()
    handled(succeed, plugin)(Job())
    _, page = plugin.work_metrics_page(store, [QUEUE])
    assert b"work_job_executed_total{" in page


def test_two_plug_ins_count_in_one_registry(registry: CollectorRegistry) -> None:
    """As long as they agree on the buckets."""
    for _ in range(2):
        handled(succeed, Prometheus(buckets=[1, 2], registry=registry))(Job())
    assert value(registry, "executed_total", status="success") == 2
    with pytest.raises(ConfigError, match="differ"):
        Prometheus(buckets=[1, 3], registry=registry)


@pytest.mark.parametrize("buckets", [[], [2, 1], [1, 1], ["1"], [0, 1], 5])
def test_buckets_must_ascend(buckets: object) -> None:
    """A mistake in the settings is one line."""
    with pytest.raises(ConfigError, match="buckets must be a list of ascending seconds"):
        Prometheus(buckets=buckets)  # type: ignore[arg-type]


def test_a_worker_counts_each_job_once(
    backend: Backend, namespace: str, registry: CollectorRegistry
) -> None:
    """On every store, and nothing is in flight at the end."""
    with App(backend, namespace=namespace, plugins=[Prometheus(registry=registry)]) as app:

        @app.task
        def send(n: int) -> None: ...

        send.enqueue_many([(n,) for n in range(100)])
        Worker(app).drain()
    where = {"namespace": namespace, "queue": "send"}
    found = {
        name: registry.get_sample_value(f"work_job_{name}", where)
        for name in ("busy", "in_flight", "deliveries_total", "wait_seconds_count")
    }
    assert found == {
        "busy": 0,
        "in_flight": 0,
        "deliveries_total": 100,
        "wait_seconds_count": 100,
    }


PROCESS = """
import os, sys
from work_core.app import App
from work_core.worker import Worker
from work_middleware.prometheus import Prometheus

app = App(sys.argv[1], namespace="test", plugins=[Prometheus()])

@app.task
def send(n):
    if n == -1:
        os._exit(9)

worker = Worker(app)
if sys.argv[2] == "drain":
    worker.drain()
else:
    send.enqueue(-1)
    worker.drain()
"""


def run_process(url: str, what: str, directory: Path) -> subprocess.Popen[bytes]:
    """Start a worker process that shares its counts through *directory*."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    return subprocess.Popen([sys.executable, "-c", PROCESS, url, what], env=environment)


def test_several_processes_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four processes do a thousand jobs, one more is killed; the page of a fifth tells it all."""
    from work_core.plugins import open_backend

    shared = tmp_path / "metrics"
    shared.mkdir()
    url = f"sqlite:///{tmp_path}/work.db"
    with open_backend(url) as backend:
        backend.enqueue(QUEUE, [Job(b"\x81\xa1n\x00") for _ in range(1000)])
        processes = [run_process(url, "drain", shared) for _ in range(4)]
        assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
        assert run_process(url, "die", shared).wait(60) == 9
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(shared))
        page = Prometheus(registry=CollectorRegistry()).work_metrics_page(
            backend, [QueueName("test", "send")]
        )[1]
    found = {
        (sample.name, sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if "le" not in sample.labels
    }
    assert found["work_job_executed_total", "success"] == 1000
    assert found["work_job_execution_time_seconds_count", None] == 1000
    assert found.get(("work_job_busy", None), 0) == 0
    assert found["work_job_ready", None] + found["work_job_scheduled", None] == 1
