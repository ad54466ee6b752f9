"""The published packages: what is in them, what they ask for, and that two of them suffice."""

from __future__ import annotations

import re
import subprocess
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING

import pytest
from tests.docs.blocks import blocks_of
from tests.packaging.conftest import PACKAGES, ROOT

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from tests.packaging.conftest import Environment


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_readme_example_runs_with_two_wheels(core_and_sql: Environment, tmp_path: Path) -> None:
    """work-core and work-sql alone run the README's task, with nothing else installed."""
    example = next(block for block in blocks_of(ROOT / "README.md") if block.file == "tasks.py")
    project = tmp_path / "project"
    project.mkdir()
    (project / "tasks.py").write_text(example.text)

    assert core_and_sql.run("python", "tasks.py", cwd=project).startswith("enqueued ")
    assert "greet      1" in core_and_sql.run("work", "status", cwd=project)
    ran = core_and_sql.run("work", "worker", "tasks:app", "--drain", cwd=project)
    assert ran.splitlines() == ["hello world! hello world! ", "drained: 1 job"]


def test_settings_written_with_two_wheels_can_be_used(
    core_and_sql: Environment, tmp_path: Path
) -> None:
    """Without work-middleware ``work init`` comments its plug-ins out, and says how to get them."""
    said = core_and_sql.run("work", "init", cwd=tmp_path)

    assert "pip install work-middleware" in said
    core_and_sql.run("work", "status", cwd=tmp_path)
    load = "from work_core.config import load_config; print(load_config().load_plugins())"
    assert core_and_sql.run("python", "-c", load, cwd=tmp_path) == "[]\n"


def test_only_what_is_installed_is_offered(core_and_sql: Environment, tmp_path: Path) -> None:
    """``work backends`` shows the two packages' schemes and no others."""
    lines = core_and_sql.run("work", "backends", cwd=tmp_path).splitlines()[1:]

    assert {line.split("://")[0] for line in lines} >= {"memory", "sqlite"}
    assert not any(line.startswith(("redis", "sqs")) for line in lines)
    assert not any("broken" in line for line in lines if line.startswith(("memory", "sqlite")))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_its_package_and_nothing_else(wheels: dict[str, Path], package: str) -> None:
    """A wheel has one typed package and its licence."""
    with zipfile.ZipFile(wheels[package]) as archive:
        names = archive.namelist()

    module = package.replace("-", "_")
    assert {name.split("/")[0] for name in names} <= {module, f"{module}-0.1.0.dist-info"}
    assert f"{module}/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_describes_itself(wheels: dict[str, Path], package: str) -> None:
    """Each wheel has a README worth showing, a summary, and the Python it needs."""
    metadata = _metadata(wheels[package])

    assert len(str(metadata.get_payload())) > 300
    assert metadata["Summary"]
    assert metadata["Requires-Python"] == ">=3.11"


def test_versions_are_in_lockstep(wheels: dict[str, Path]) -> None:
    """All packages carry one version, and the siblings ask for the core of that minor version."""
    metadata = {package: _metadata(wheel) for package, wheel in wheels.items()}

    (version,) = {each["Version"] for each in metadata.values()}
    major, minor, *_ = map(int, version.split("."))
    for package in set(PACKAGES) - {"work-core"}:
        wanted = metadata[package].get_all("Requires-Dist") or []
        (core,) = (each for each in wanted if each.startswith("work-core"))
        assert set(re.split(r"work-core|,", core)) == {
            "",
            f">={major}.{minor}",
            f"<{major}.{minor + 1}",
        }


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_nothing_is_locked_and_no_registry_is_named() -> None:
    """No lock file is tracked, and no setting names where packages come from."""
    tracked = _tracked()

    assert not [name for name in tracked if re.search(r"(\.lock|-lock\.\w+|requirements.*)$", name)]
    settings = [name for name in tracked if name.endswith((".toml", ".cfg", ".ini", "Makefile"))]
    for name in settings:
        text = (ROOT / name).read_text()
        assert not re.search(r"index-url|pypi\.org/simple|find-links", text), name
