"""The wheels, built once, and environments that hold nothing but what was installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("work-core", "work-redis", "work-sql", "work-sqs", "work-middleware")


class Environment(NamedTuple):
    """A virtual environment."""

    folder: Path

    def run(self, *command: str, cwd: Path) -> str:
        """Run a program of the environment in *cwd* and return what it prints; it must succeed."""
        program, *arguments = command
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("WORK_", "PYTHON"))}
        done = subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=cwd,
            env=clean,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each package, as it would be published."""
    target = tmp_path_factory.mktemp("wheels")
    for package in PACKAGES:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
            cwd=ROOT / package,
            check=True,
            capture_output=True,
        )
    return {package: next(target.glob(f"{package.replace('-', '_')}-*")) for package in PACKAGES}


@pytest.fixture
def core_and_sql(wheels: dict[str, Path], tmp_path: Path) -> Environment:
    """An environment with the wheels of work-core and work-sql, and what they say they need.

    The needed distributions are linked from this environment, so that no network is used; what a
    wheel forgets to ask for is missing.
    """
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    chosen = [str(wheels["work-core"]), str(wheels["work-sql"])]
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", *chosen], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    for name in _needed("work-core") | _needed("work-sql"):
        _link(name, site)
    return Environment(folder)


def _needed(name: str) -> set[str]:
    """Return the names of all distributions that *name* needs, without its extras."""
    required = [each for each in distribution(name).requires or [] if "extra ==" not in each]
    names = {re.split(r"[^\w.-]", each)[0] for each in required} - set(PACKAGES)
    found = {each for each in names if _installed(each)}
    return found.union(*map(_needed, found))


def _installed(name: str) -> bool:
    """Tell whether a requirement applies here; markers leave some out."""
    try:
        distribution(name)
    except ModuleNotFoundError:
        return False
    return True


def _link(name: str, site: Path) -> None:
    found = distribution(name)
    tops = {file.parts[0] for file in found.files or [] if file.parts[0] not in {"..", "."}}
    for top in tops - {"__pycache__"}:
        target = site / top
        if not target.exists():
            target.symlink_to(Path(str(found.locate_file(top))))
