"""A real MariaDB, where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.process import accepts_connections, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_VARIABLE = "WORK_TEST_MARIADB_URL"
_DATABASE = "work"


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """Return the URL of a database of a running MariaDB server.

    No wheel brings one: this is the only server that may be missing in CI, too.
    """
    if url := os.environ.get(URL_VARIABLE):
        yield url
        return
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if server is None or install is None:
        pytest.skip(f"no mariadbd on PATH; install mariadb-server or set {URL_VARIABLE} to a URL")
    with tempfile.TemporaryDirectory(prefix="work-mariadb-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), free_port()
        _create_data(install, folder)
        with running(
            _command(server, folder, port), folder / "log", lambda: accepts_connections(port)
        ):
            yield f"mariadb://work@127.0.0.1:{port}/{_DATABASE}"


@pytest.fixture
def mariadb_table_url(mariadb_url: str) -> str:
    """Return a URL with tables of its own, which are dropped with the server."""
    return f"{mariadb_url}{'&' if '?' in mariadb_url else '?'}table=t_{uuid.uuid4().hex[:12]}"


def _create_data(install: str, folder: Path) -> None:
    # The server runs this file at each start, one statement per line.
    setup = folder / "setup.sql"
    setup.write_text(
        f"CREATE DATABASE {_DATABASE};\n"
        f"CREATE USER work@127.0.0.1;\nGRANT ALL ON {_DATABASE}.* TO work@127.0.0.1;\n"
    )
    command = [install, "--no-defaults", f"--datadir={folder / 'data'}", *_AS_ROOT]
    command += ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    subprocess.run(command, check=True, capture_output=True)


def _command(server: str, folder: Path, port: int) -> list[str]:
    return [
        *(server, "--no-defaults", f"--datadir={folder / 'data'}", *_AS_ROOT),
        *(f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
        *(f"--socket={folder / 'socket'}", f"--init-file={folder / 'setup.sql'}"),
        "--innodb-flush-log-at-trx-commit=2",
    ]


_AS_ROOT = ["--user=root"] if os.geteuid() == 0 else []
