"""Imports run one way, and ``import work_core`` stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.packaging.conftest import PACKAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"redis", "sqlalchemy", "boto3", "asyncio", "click", "rich", "prometheus_client", "http"}
SIBLINGS = tuple(name.replace("-", "_") for name in PACKAGES if name != "work-core")

FLOORS = [
    {"errors", "job", "timeline"},
    {"url", "capabilities", "record", "codec", "backend", "hookspecs"},
    {"hooks", "middleware", "retry", "memory"},
    {"plugins"},
    {"config", "queue"},
    {"task"},
    {"app"},
    {"worker"},
    {"testing"},
    {"cli", "http"},
]
"""The parts of work-core from the ground up: a part imports its own floor and those below."""


def _sources(package: str) -> list[Path]:
    return sorted((ROOT / package / "src").rglob("*.py"))


def _imports(source: Path) -> set[str]:
    """Return the modules that *source* imports, at its top or later, but not only for types."""
    tree = ast.parse(source.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(inner for part in node.body for inner in ast.walk(part))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _part(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def _floor(part: str) -> int | None:
    return next((number for number, parts in enumerate(FLOORS) if part in parts), None)


CORE = [path for path in _sources("work-core") if path.name != "__init__.py"]


@pytest.mark.parametrize("source", CORE, ids=[str(each.relative_to(ROOT)) for each in CORE])
def test_the_core_imports_downwards(source: Path) -> None:
    """No part of work-core imports what stands above it."""
    own = source.relative_to(ROOT / "work-core" / "src" / "work_core").parts[0].removesuffix(".py")
    floor = _floor(own)
    assert floor is not None, f"{own} has no floor; give it one in FLOORS"
    below = set().union(*FLOORS[: floor + 1])

    used = {_part(name) for name in _imports(source) if name.startswith("work_core.")}

    assert {part for part in used if _floor(part) is not None} <= below


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "work-core"])
def test_a_sibling_uses_the_core_as_a_stranger_would(package: str) -> None:
    """Siblings import public names of work-core, and never each other."""
    own = package.replace("-", "_")
    for source in _sources(package):
        for name in _imports(source):
            assert not name.startswith(tuple(f"{each}." for each in SIBLINGS if each != own)), name
            if name.startswith("work_core"):
                assert not any(part.startswith("_") for part in name.split(".")), (source, name)


def test_the_core_knows_no_sibling() -> None:
    """work-core imports none of the packages that build on it."""
    for source in _sources("work-core"):
        assert not any(name.startswith(SIBLINGS) for name in _imports(source)), source


def test_import_work_core_is_cheap() -> None:
    """All of ``work_core`` loads no driver, no event loop, no command line and no web server."""
    script = "import sys; from work_core import *; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not HEAVY & set(loaded)


def test_click_is_imported_by_the_command_line_only() -> None:
    """Only ``work_core.cli`` may import click."""
    for source in _sources("work-core"):
        if "cli" not in source.relative_to(ROOT).parts:
            assert "click" not in _imports(source), source
