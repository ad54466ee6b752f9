"""The example is a distribution like a stranger's: built, installed, and tested where it is."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "example-backend"
NOT_GIVEN = {"the suite was given no fixture `payload_limit`"}

# Installing what pytest needs may take a slow network a while.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels of work-core and of the example."""
    out = tmp_path_factory.mktemp("wheels")
    for source in (ROOT / "work-core", EXAMPLE):
        _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=source)
    return sorted(out.glob("*.whl"))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, wheels: list[Path]) -> Path:
    """The interpreter of an environment that holds the two wheels, and what they ask for."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    core, example = wheels
    pip = (sys.executable, "-m", "pip", "--python", python)
    _run(*pip, "install", "-q", "--no-compile", f"{core}[testing]", f"{example}[test]")
    return python


def test_wheels_hold_their_packages_alone(wheels: list[Path]) -> None:
    """Neither wheel carries tests or files of the other."""
    listings = [_run(sys.executable, "-m", "zipfile", "-l", wheel) for wheel in wheels]
    assert ["tests/" in listing for listing in listings] == [False, False]
    assert ["work_example/plugin.py" in listing for listing in listings] == [False, True]
    assert ["work_core/testing/conformance/model.py" in each for each in listings] == [True, False]


def test_suite_passes_where_the_example_is_installed(python: Path) -> None:
    """Beside work-core alone, in an empty environment, the example passes the suite undeviating."""
    output = _run(python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", cwd=EXAMPLE)
    assert " passed" in output
    assert "xfailed" not in output
    reasons = {line.rpartition(": ")[2] for line in output.splitlines() if "SKIPPED" in line}
    assert all("is not a" in reason or "has no" in reason for reason in reasons - NOT_GIVEN)


def test_backend_is_found_by_its_scheme(python: Path, tmp_path: Path) -> None:
    """The installed plug-in opens its URLs, and refuses an option that it does not know."""
    code = "import sys; from work_core import open_backend; print(type(open_backend(sys.argv[1])))"
    output = _run(python, "-c", code, f"example://{tmp_path}?sync=no")
    assert "ExampleBackend" in output
    refused = subprocess.run(
        [python, "-c", code, f"example://{tmp_path}?snyc=no"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert refused.stderr.splitlines()[-1].endswith("did you mean 'sync'?")


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run *command* apart from this environment, and return its output."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables["WORK_CONFORMANCE_EXAMPLES"] = "10"
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env=variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
