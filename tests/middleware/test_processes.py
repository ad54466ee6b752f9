"""A scrape of ``work worker --processes`` while jobs run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.servers.process import free_port, wait_until

from work_core.app import App

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOBS = 10_000

PROGRAM = """
from work_core import App, Discard
from work_middleware.prometheus import Prometheus

app = App(plugins=[Prometheus()])

@app.task
def send(n: int) -> None:
    if n % 100 == 0:
        raise Discard("no reason")
"""


@pytest.fixture
def scrape(
    redis_url: str, namespace: str, tmp_path: Path
) -> Iterator[Callable[[], dict[str, float]]]:
    """Run four processes and return what their one port says, by sample and status."""
    (tmp_path / "program.py").write_text(PROGRAM)
    port = free_port()
    command = [sys.executable, "-m", "work_core.cli", "worker", "program:app"]
    command += ["--processes", "4", "--metrics-port", str(port), "--metrics-host", "127.0.0.1"]
    environment = {**os.environ, "WORK_URL": redis_url, "WORK_NAMESPACE": namespace}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)

    def read() -> dict[str, float]:
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                page = answer.read().decode()
        except (URLError, ConnectionError):
            return {}
        return {
            f"{sample.name} {sample.labels.get('status', '')}".strip(): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.labels.get("queue") == "send" and "le" not in sample.labels
        }

    yield read
    process.terminate()
    assert process.wait(60) == 0, (tmp_path / "log").read_text()[-2000:]


def test_the_counts_of_all_processes_add_up(
    scrape: Callable[[], dict[str, float]], redis_url: str, namespace: str
) -> None:
    """At every moment no more than there are, and in the end exactly as many as were run."""
    with App(redis_url, namespace=namespace, plugins=[]) as app:
        app.task(name="send")(send).enqueue_many([(n,) for n in range(1, JOBS + 1)])
    failures = JOBS // 100
    seen: list[float] = []

    def all_ran() -> bool:
        found = scrape()
        succeeded = found.get("work_job_executed_total success", 0.0)
        seen.append(succeeded + found.get("work_job_executed_total failure", 0.0))
        return seen[-1] >= JOBS and found["work_job_in_flight"] == 0

    wait_until(all_ran, "all jobs")
    found = scrape()
    assert seen == sorted(seen)
    assert found["work_job_executed_total success"] == JOBS - failures
    assert found["work_job_executed_total failure"] == failures
    assert found["work_job_discarded_total"] == failures
    assert found["work_job_execution_time_seconds_count"] == JOBS - failures
    assert found["work_job_deliveries_total"] == JOBS
    assert found["work_job_ready"] == 0


def send(n: int) -> None:
    """Stand for the task that the program defines."""
    raise AssertionError(n)
