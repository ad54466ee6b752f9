"""``make demo``: all files measured, one worker killed, nothing lost, and the report is true."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from examples.demo.results import Results, digests

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "examples.demo"]


@pytest.fixture
def small_library(tmp_path: Path) -> dict[str, str]:
    """An environment in which the standard library is a copy of one of its packages.

    The whole library takes long on a busy machine; every other part is the demo's own.
    """
    library = tmp_path / "library"
    library.mkdir()
    packages = ("asyncio", "json", "email", "xml", "unittest", "importlib")
    for package in packages:
        source = Path(os.__file__).parent / package
        for file in source.rglob("*.py"):
            target = library / package / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return {**os.environ, "DEMO_LIBRARY": str(library)}


def test_plain_lines_without_a_terminal(small_library: dict[str, str]) -> None:
    """In a pipe the demo prints lines, kills one worker, and ends with the account of it."""
    done = subprocess.run(
        DEMO, cwd=ROOT, env=small_library, capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    total = len(digests(Path(small_library["DEMO_LIBRARY"])))
    for line in (
        rf"enqueued {total} files of \S+ in \S+ s, into SQLite",
        r"killed worker process \d+ with SIGKILL",
        rf"done: {total} files, [\d,]+ bytes, [\d,]+ lines, [\d,]+ words",
        r"speed: [\d,]+ jobs per second over \S+ s, .*",
        r"delivered twice because of the kill: \d+ .*",
        rf"lost: none; all {total} digests equal those of a walk without jobs",
    ):
        assert re.search(f"^{line}$", done.stdout, re.MULTILINE), line


def test_a_terminal_shows_live_progress(small_library: dict[str, str]) -> None:
    """On a terminal a bar is drawn over and over in one line."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(DEMO, cwd=ROOT, env=small_library, stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # Linux says EIO when the other end is closed
        pass
    os.close(ours)

    assert process.wait(60) == 0
    assert shown.count(b"\r\x1b[K[") > 2
    assert b"[########################################]" in shown


def test_a_lost_or_wrong_file_is_found(tmp_path: Path) -> None:
    """The check at the end fails when a file is missing, altered, or was never there."""
    library = tmp_path / "library"
    library.mkdir()
    for name in ("a.py", "b.py"):
        (library / name).write_text(f"# {name}\n")
    expected = digests(library)
    first, second = sorted(expected)
    line = (
        '{{"path": "{}", "sha256": "{}", "bytes": 7, "lines": 1, '
        '"words": 1, "vocabulary": 1, "deliveries": {}}}\n'
    )
    (tmp_path / "12.ndjson").write_text(line.format(first, "0" * 64, 2) + line.format("c", "", 1))

    results = Results(tmp_path)
    results.read()

    assert results.differences(expected) == [
        f"lost: {second}",
        "not there: c",
        f"wrong digest: {first}",
    ]
    assert results.redelivered == {first}
