"""The dashboard and the alerts ask for what is really exported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.middleware.folded import QUEUE, handled, succeed

from work_core.job import Job
from work_core.memory import MemoryBackend
from work_middleware.prometheus import Prometheus

DOCS = Path(__file__).parents[2] / "docs"
NAME = re.compile(r"\bwork_job_[a-z_]+")


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """Return the names of all samples on a page."""
    plugin = Prometheus(registry=CollectorRegistry())
    handled(succeed, plugin)(Job())
    page = plugin.work_metrics_page(MemoryBackend(), [QUEUE])[1].decode()
    declared = re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE)
    histograms = {f"{name}_bucket" for name, kind in declared if kind == "histogram"}
    return {name for name, _ in declared} | histograms


def test_the_dashboard_uses_exported_names(exported: set[str]) -> None:
    """In each panel and each variable."""
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [each["query"] for each in board["templating"]["list"]]
    used = set(NAME.findall("\n".join(queries)))
    assert len(board["panels"]) >= 10
    assert used <= exported
    assert {"work_job_ready", "work_job_executed_total"} <= used


def test_the_alerts_use_exported_names(exported: set[str]) -> None:
    """And each says what to do."""
    text = (DOCS / "alerts.yml").read_text()
    used = set(NAME.findall(text))
    assert used
    assert used <= exported
    assert text.count("- alert:") == text.count("action:") == text.count("summary:") >= 5


def test_every_metric_can_be_seen(exported: set[str]) -> None:
    """What is exported stands on the dashboard."""
    board = (DOCS / "grafana-dashboard.json").read_text()
    plain = {name for name in exported if name.startswith("work_job_")}
    plain = {name for name in plain if not name.endswith("_created")}
    histograms = {name.removesuffix("_bucket") for name in plain if name.endswith("_bucket")}
    assert {name for name in plain - histograms if name not in board} == set()
