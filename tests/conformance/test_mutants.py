"""The suite finds faults: each broken backend of ``mutants.py`` is caught by the tests it names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.mutants import MUTANTS, Mutant

HERE = Path(__file__).parent
PAIRS = [(mutant, test) for mutant in MUTANTS for test in mutant.caught_by]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """Run each named test on its mutant, and return the failures by class and test."""
    report = tmp_path_factory.mktemp("mutants") / "report.xml"
    node_ids = [f"{HERE}/mutants.py::Test{mutant.__name__}::{test}" for mutant, test in PAIRS]
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", f"--junitxml={report}", "--tb=short"]
    command = [sys.executable, "-m", "pytest", *options, *node_ids]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)
    assert run.returncode == 1, run.stdout + run.stderr
    found: dict[tuple[str, str], str] = {}
    for case in ET.parse(report).iter("testcase"):
        failure = case.find("failure")
        if failure is not None:
            suite = case.attrib["classname"].rpartition(".")[2].removeprefix("Test")
            found[suite, case.attrib["name"].partition("[")[0]] = failure.text or ""
    return found


@pytest.mark.parametrize(
    ("mutant", "test"), PAIRS, ids=lambda value: getattr(value, "__name__", value)
)
def test_mutant_is_caught(
    failures: dict[tuple[str, str], str], mutant: type[Mutant], test: str
) -> None:
    """The named test fails on the mutant, and its output names the obligation."""
    assert (mutant.__name__, test) in failures, f"{test} passes on a backend that is broken"
    assert "broken obligation: " in failures[mutant.__name__, test]
