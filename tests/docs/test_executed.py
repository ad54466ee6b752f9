"""README.md and docs/configuration.md run as written, from the first block to the last."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from tests.docs.blocks import ROOT, blocks_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.blocks import Block

FOREVER = re.compile(r"work worker [\w.:]+")


class Reader:
    """Somebody who does in *folder* what a document says, in an environment of their own."""

    def __init__(self, folder: Path, servers: dict[str, str]) -> None:
        self._folder = folder
        self._servers = servers
        programs = os.path.dirname(sys.executable)  # noqa: PTH120 - a symlink must not be followed
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WORK_")}
        self._environment = {**environment, "PATH": f"{programs}:{environment['PATH']}"}
        self.said: dict[str, str] = {}

    def follow(self, block: Block) -> None:
        """Write the file that *block* shows, or run what it says."""
        if block.file is not None:
            target = self._folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        if block.language == "python":
            module = (block.file or "").removesuffix(".py").replace("/", ".")
            self._run([sys.executable, "-c", f"import {module}" if module else block.text], block)
        elif block.language == "toml":
            tomllib.loads(block.text)
        for command in block.commands:
            self.said[command] = self._run(["sh", "-ec", self._adapted(command)], block)

    def _adapted(self, command: str) -> str:
        """Point to the test's servers, let workers end, and leave this environment as it is."""
        for url, server in self._servers.items():
            command = command.replace(url, server)
        command = FOREVER.sub(r"\g<0> --drain", command)
        if command.startswith("make "):
            return f"cd {ROOT} && make --dry-run {command.removeprefix('make ')}"
        if command.startswith("pip install"):
            offline = "--dry-run --no-deps --no-index --no-build-isolation --quiet"
            return f"cd {ROOT} && python -m {command} {offline}"
        if command.startswith("work init"):
            return f"rm -f work.toml && {command}"
        return command

    def _run(self, command: list[str], block: Block) -> str:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{block.place}: {command[-1]}\n{done.stdout}{done.stderr}")
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path, redis_url: str, postgres_schema_url: str) -> Reader:
    """Follow a document in an empty folder, with real servers where it names some."""
    servers = {
        "redis://localhost": redis_url,
        "postgresql://app@localhost/app": f"'{postgres_schema_url}'",
    }
    return Reader(tmp_path, servers)


def test_the_readme_runs_as_written(reader: Reader) -> None:
    """Every block of README.md works, in order, and the worker greets."""
    for block in blocks_of(ROOT / "README.md"):
        reader.follow(block)

    assert reader.said["python tasks.py"].startswith("enqueued ")
    assert "greet      1" in reader.said["work status"]
    assert "hello world! hello world!" in reader.said["work worker tasks:app"]


def test_the_configuration_page_runs_as_written(reader: Reader) -> None:
    """Every block of docs/configuration.md works, in order."""
    for block in blocks_of(ROOT / "docs" / "configuration.md"):
        reader.follow(block)

    assert '"queue": "greet"' in reader.said["work status --json"]
