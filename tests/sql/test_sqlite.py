"""What is special about SQLite: one file, any number of processes, no server."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers.process import wait_until

from work_core.errors import BackendError, BackendUnavailable
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUEUE = QueueName("shop", "mail")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the test."""
    return tmp_path / "jobs.db"


@pytest.fixture
def backend(path: Path) -> Iterator[Any]:
    """A backend on the file."""
    with open_backend(f"sqlite:///{path}") as backend:
        yield backend


def test_opening_touches_no_file(path: Path) -> None:
    """The file appears with the first call, not when the backend is opened."""
    with open_backend(f"sqlite:///{path}"):
        assert not path.exists()


def test_relative_path_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that changes its directory later keeps its file."""
    monkeypatch.chdir(tmp_path)
    with open_backend("sqlite:///jobs.db") as backend:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        backend.enqueue(QUEUE, [Job()])

    assert (tmp_path / "jobs.db").exists()


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """A path that cannot be opened is one clear error."""
    with (
        open_backend(f"sqlite:///{tmp_path}/no/jobs.db") as backend,
        pytest.raises(
            BackendError, match=r"no/jobs\.db cannot be opened: does its directory exist"
        ),
    ):
        backend.enqueue(QUEUE, [Job()])


def test_other_file_is_left_alone(path: Path) -> None:
    """A file that is no database is refused by name and not changed."""
    path.write_text("my notes, which are longer than a database header would be" * 20)
    before = path.read_bytes()
    with (
        open_backend(f"sqlite:///{path}") as backend,
        pytest.raises(BackendError, match=r"jobs\.db: file is not a database"),
    ):
        backend.enqueue(QUEUE, [Job()])

    assert path.read_bytes() == before


def test_long_lock_of_another_program_is_unavailable(path: Path) -> None:
    """A program that keeps the file locked longer than the timeout is told, without a traceback."""
    with open_backend(f"sqlite:///{path}?timeout=0.05") as backend:
        backend.enqueue(QUEUE, [Job()])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackendUnavailable, match="locked by another process for too long"):
            backend.enqueue(QUEUE, [Job()])
        other.close()
        backend.enqueue(QUEUE, [Job()])


def test_tables_stand_beside_the_applications(path: Path, backend: Any) -> None:
    """The file may be the application's own database."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoice (id)")
    connection.commit()

    backend.enqueue(QUEUE, [Job(id="a")])

    assert connection.execute("SELECT id FROM work_job").fetchall() == [("a",)]
    connection.close()


def test_first_use_in_a_transaction_that_has_written(path: Path, backend: Any) -> None:
    """A caller that holds the write lock gets the tables within its own transaction."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoice (id)")
    connection.execute("INSERT INTO invoice VALUES (1)")

    backend.enqueue(QUEUE, [Job(id="a")], connection=connection)
    connection.commit()
    connection.close()

    assert [job.id for job in backend.jobs(QUEUE).jobs] == ["a"]


def test_full_synchronous_is_set(path: Path) -> None:
    """With synchronous=full every commit waits for the disk."""
    backend: Any = open_backend(f"sqlite:///{path}?synchronous=full")
    with backend, backend._store._connections.writing() as writer:
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_job_of_another_process_ends_the_wait(path: Path, backend: Any) -> None:
    """A commit of another process is noticed without asking the queue again and again."""
    backend._store.poll = lambda _idle: 3600.0
    found: list[Job] = []
    thread = threading.Thread(
        target=lambda: found.extend(backend.dequeue(QUEUE, 1, at=utc_now(), lease=60, wait=60))
    )
    thread.start()
    wait_until(backend._doorbell.somebody_waits.is_set, "the consumer to wait")
    code = (
        "from work_core.plugins import open_backend\n"
        "from work_core.job import Job, QueueName\n"
        f"with open_backend('sqlite:///{path}') as backend:\n"
        "    backend.enqueue(QueueName('shop', 'mail'), [Job(id='a')])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    thread.join()

    assert [job.id for job in found] == ["a"]


def test_forked_child_has_its_own_connections(path: Path, backend: Any) -> None:
    """A child of a process that has used the backend may go on using it."""
    backend.enqueue(QUEUE, [Job(id="parent")])
    child = os.fork()
    if child == 0:
        try:
            backend.enqueue(QUEUE, [Job(id="child")])
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    jobs = backend.dequeue(QUEUE, 10, at=utc_now(), lease=60)

    assert sorted(job.id for job in jobs) == ["child", "parent"]


def test_import_needs_no_database_driver() -> None:
    """SQLite alone imports neither SQLAlchemy nor a driver of a server."""
    code = (
        "import sys, work_sql.plugin\n"
        "from work_core.plugins import open_backend\n"
        "open_backend('sqlite:///x.db').close()\n"
        "print([name for name in ('sqlalchemy', 'psycopg', 'pymysql') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"
