"""The benchmark itself: it runs, counts right and writes its page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks as a person would."""
    command = [sys.executable, "-m", "benchmarks", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a small run of ours on memory and SQLite wrote."""
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "benchmarks.md").write_text(
        "before\n\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n\nafter\n"
    )
    done = run(
        *("--quick", "--only", "ours", "--store", "memory,sqlite"),
        *("--jobs", "50", "--output", str(folder)),
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def document(output: Path) -> dict[str, Any]:
    """Return the run's document."""
    found: dict[str, Any] = json.loads((output / "benchmarks.json").read_text())
    return found


def test_nothing_fails(document: dict[str, Any]) -> None:
    """Every measurement of ours succeeds."""
    assert document["failures"] == {}


def test_every_job_runs_once(document: dict[str, Any]) -> None:
    """A drained backlog is complete, and no job of it ran twice."""
    drained = [each for each in document["results"] if each["measure"] in ("noop", "io")]
    assert {(each["store"], each["style"]) for each in drained} == {
        (store, style) for store in ("memory", "sqlite") for style in ("sync", "async")
    }
    assert {(each["jobs"], each["twice"]) for each in drained} == {(50, 0)}


def test_figures_are_there(document: dict[str, Any]) -> None:
    """Enqueuing, idleness and backlogs are measured, too."""
    measured = {each["measure"]: each for each in document["results"] if each["store"] == "sqlite"}
    assert measured["enqueue"]["one"] > 0
    assert measured["idle"]["memory"] > 0
    assert measured["backlog"]["us"] > 0


def test_page_keeps_its_prose(output: Path) -> None:
    """Only the measured part of the page is replaced."""
    page = output.joinpath("benchmarks.md").read_text()
    assert page.startswith("before\n\n<!-- measured: begin -->\nMeasured ")
    assert page.endswith("<!-- measured: end -->\n\nafter\n")
    assert "### SQLite" in page
    assert output.joinpath("benchmarks.svg").read_text().startswith("<svg")


def test_unknown_library_is_refused() -> None:
    """A name that is not measured is one clear error, which tells the known ones."""
    done = run("--only", "nosuch")
    assert done.returncode == 2
    assert "unknown: nosuch; known: " in done.stderr
