"""How the suite behaves towards the author of a backend."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from work_core.testing import BackendConformance

SUITES = Path(__file__).with_name("suites.py")


@pytest.fixture(scope="module")
def output() -> str:
    """What pytest says, without any conftest, about the classes of ``suites.py``."""
    tests = [
        "TestBare::test_first_in_first_out",
        "TestBare::test_find_answers_in_order",
        "TestBare::test_place_expires",
        "TestBareInOrder::test_acked_job_is_gone",
        "TestBareInOrder::test_first_in_first_out",
        "TestBareInOrder::test_use_after_close_is_refused",
    ]
    options = ["-q", "-rA", "--noconftest", "-p", "no:cacheprovider"]
    nodes = [f"{SUITES}::{test}" for test in tests]
    command = [sys.executable, "-m", "pytest", *options, *nodes]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def test_declared_deviation_is_expected(output: str) -> None:
    """A test that is listed as a deviation and fails is an expected failure with its reason."""
    assert re.search(r"XFAIL .*TestBare::test_first_in_first_out - newest first", output)


def test_deviation_that_passes_fails(output: str) -> None:
    """A deviation that the backend does not have any more must be taken off the list."""
    assert "XPASS(strict)] not so" in output
    assert re.search(r"FAILED .*TestBareInOrder::test_acked_job_is_gone", output)


def test_deviations_are_each_classes_own(output: str) -> None:
    """A subclass with a list of its own inherits no deviation."""
    assert re.search(r"FAILED .*TestBareInOrder::test_first_in_first_out", output)


def test_deviation_of_one_parameter(output: str) -> None:
    """A deviation may name one parameter of a test; the others count."""
    assert re.search(r"XFAIL .*refused\[dequeue\] - nothing is ever closed", output)
    assert re.search(r"FAILED .*refused\[enqueue\]", output)


def test_failure_shows_values_and_obligation(output: str) -> None:
    """A failing test shows the compared values and names the obligation."""
    assert "broken obligation: Jobs enqueued one after the other come out in that order." in output
    assert "At index 0 diff" in output


def test_missing_capability_is_skipped_by_name(output: str) -> None:
    """Tests of a capability that the backend's class does not list are skipped with the reason."""
    assert "Bare is not a JobFinder" in output
    assert "Bare is not a Semaphores" in output


def test_wrong_name_of_a_deviation_is_refused() -> None:
    """A deviation from a test that does not exist fails when the class is made."""
    with pytest.raises(
        TypeError, match=r"Wrong declares .* test_first_in_frst_out, .* did you mean"
    ):
        type("Wrong", (BackendConformance,), {"deviations": {"test_first_in_frst_out": "typo"}})


def test_overriding_a_test_is_refused() -> None:
    """A test of the suite cannot be replaced."""
    with pytest.raises(TypeError, match="Easy overrides test_first_in_first_out of the suite"):
        type("Easy", (BackendConformance,), {"test_first_in_first_out": lambda _: None})
