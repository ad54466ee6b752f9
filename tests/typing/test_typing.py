"""A type checker accepts right calls of a task and refuses wrong ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mypy import api

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
MARK = re.compile(r"  # type: ignore\[(?P<code>[a-z-]+)\]")
FOUND = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$", re.MULTILINE)


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[int, str]]:
    """What mypy finds in each file: line to code of the error; its marks are removed before."""
    directory = tmp_path_factory.mktemp("typing")
    unmarked = directory / "unmarked.py"
    unmarked.write_text(MARK.sub("", (HERE / "refused.py").read_text()))
    files = [HERE / "accepted.py", HERE / "refused.py", unmarked]
    out, problem, _ = api.run(
        [f"--config-file={HERE.parents[1] / 'pyproject.toml'}"]
        + [f"--cache-dir={directory}", "--no-pretty", "--no-error-summary"]
        + [str(file) for file in files]
    )
    assert problem == ""
    found: dict[str, dict[int, str]] = {file.name: {} for file in files}
    for each in FOUND.finditer(out):
        found[Path(each["file"]).name][int(each["line"])] = each["code"]
    return found


def test_right_calls_are_accepted(errors: Mapping[str, dict[int, str]]) -> None:
    """In the file of right calls there is no error, and its types are what it says."""
    assert errors["accepted.py"] == {}


def test_wrong_calls_are_refused(errors: Mapping[str, dict[int, str]]) -> None:
    """In the file of wrong calls every marked line is an error of its kind, and no other is."""
    lines = enumerate((HERE / "refused.py").read_text().splitlines(), start=1)
    marked = {number: mark["code"] for number, line in lines if (mark := MARK.search(line))}
    assert len(marked) > 20
    assert errors["unmarked.py"] == marked


def test_the_marks_are_needed(errors: Mapping[str, dict[int, str]]) -> None:
    """With its marks the file of wrong calls passes, so that checking the whole tree checks it."""
    assert errors["refused.py"] == {}
