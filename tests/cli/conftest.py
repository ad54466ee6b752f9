"""A project in an empty folder, and ways to call ``work`` in it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from work_core.cli import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TASKS = """
import os
import time
from work_core import App, current_job

app = App()

def note(text):
    target = os.open(f"ran-{os.getpid()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(target, f"{text}\\n".encode())
    os.close(target)

@app.task
def send(to: str, n: int = 1) -> None:
    note(f"{to} {n}")

@app.task(concurrency=4)
def slow(seconds: float) -> None:
    note("begun")
    time.sleep(seconds)
    note("ended")
"""


class Outcome(NamedTuple):
    """What a call of ``work`` did."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with ``tasks.py`` and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("WORK_"):
            monkeypatch.delenv(name)
    (tmp_path / "tasks.py").write_text(TASKS)
    return tmp_path


@pytest.fixture
def work(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call ``work`` in this process; ``work("status", "--json").out``."""

    def call(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as exited:
            cli.main(list(arguments), prog_name="work")
        out, err = capfd.readouterr()
        code = exited.value.code
        return Outcome(code if isinstance(code, int) else 0, out, err)

    return call


@pytest.fixture
def run_work() -> Callable[..., Outcome]:
    """Call ``work`` in a process of its own, with *stdin* as its standard input."""

    def call(*arguments: str, stdin: str | bytes = b"", **environment: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "work_core.cli", *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={**os.environ, **environment},
            timeout=100,
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call
