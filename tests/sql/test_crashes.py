"""Nothing that was stored is lost when a process or the server dies."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.servers.postgres import cluster
from tests.servers.process import wait_until
from tests.sql.conftest import consumers

from work_core.errors import BackendUnavailable
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.postgres import Cluster

    from work_core.backend import Backend

QUEUE = QueueName("crash", "queue")


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A server of the test's own, to be killed."""
    with cluster() as server:
        yield server


def enqueue(url: str, count: int) -> set[str]:
    """Store *count* jobs and return their ids."""
    jobs = [Job() for _ in range(count)]
    with open_backend(url) as backend:
        backend.enqueue(QUEUE, jobs)
    return {job.id for job in jobs}


class Drain:
    """Threads that work a queue off, through every outage, and remember what they acked."""

    def __init__(self, backend: Backend, threads: int) -> None:
        self.acked: set[str] = set()
        self.outages = 0
        self._backend: Any = backend
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._guarded) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until the queue is empty."""
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - raised by finish
            self._errors.append(error)

    def _run(self) -> None:
        done: list[Job] = []
        while True:
            try:
                lost, jobs = self._backend.exchange(
                    QUEUE, done, 20, at=utc_now(), lease=3.0, wait=0.2
                )
                counts = self._backend.metrics(QUEUE, at=utc_now())
            except BackendUnavailable:
                self.outages += 1
                continue
            self.acked |= {job.id for job in done} - {job.id for job in lost}
            done = jobs
            if not jobs and counts.ready + counts.scheduled == 0:
                return


def test_killed_consumer_loses_nothing_on_sqlite(tmp_path: Path) -> None:
    """Of four processes on one file one is killed; the others complete every job."""
    path = tmp_path / "jobs.db"
    stored = enqueue(f"sqlite:///{path}", 2000)

    with consumers(4, f"sqlite:///{path}") as (victim, *others):
        assert victim.stdout is not None
        completed = {victim.stdout.readline().strip()}
        victim.kill()
        completed |= set(victim.stdout.read().split())
        for process in others:
            output, _ = process.communicate()
            assert process.returncode == 0
            completed |= set(output.split())

    # An ack that was stored but not printed by the victim is the only thing that may be missing.
    assert completed <= stored
    assert len(stored - completed) <= 10
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM work_job").fetchone() == (0,)
    connection.close()


def test_many_producers_and_consumers_share_a_file(tmp_path: Path) -> None:
    """Processes that write at the same time never see a locked database."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    stored = enqueue(url, 500)
    errors: list[Exception] = []

    def produce() -> None:
        try:
            with open_backend(url) as backend:
                for _ in range(200):
                    job = Job()
                    backend.enqueue(QUEUE, [job])
                    stored.add(job.id)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)

    producers = [threading.Thread(target=produce) for _ in range(3)]
    with consumers(3, url) as processes:
        for thread in producers:
            thread.start()
        for thread in producers:
            thread.join()
        completed = {line for process in processes for line in process.communicate()[0].split()}
        assert [process.returncode for process in processes] == [0, 0, 0]

    with open_backend(url) as backend:
        rest = backend.dequeue(QUEUE, 2000, at=utc_now(), lease=1.0)
    assert errors == []
    assert completed | {job.id for job in rest} == stored


def test_crash_of_the_server_loses_nothing(server: Cluster) -> None:
    """The server dies in the middle and comes back; consuming goes on by itself."""
    with server.running():
        stored = enqueue(server.url, 3000)
        with open_backend(server.url) as backend:
            drain = Drain(backend, 4)
            wait_until(lambda: len(drain.acked) > 300, "the first acks")
            server.kill()
            wait_until(lambda: drain.outages > 0, "the outage")
            with server.running():
                drain.finish()

    # What a thread acked just before the crash may be acked again, or be gone without its knowing.
    assert drain.acked <= stored
    assert len(stored - drain.acked) <= 4 * 20
    assert drain.outages > 0


def test_ended_sessions_lose_nothing(postgres_url: str, postgres_schema_url: str) -> None:
    """An operator ends all sessions again and again; consuming goes on by itself."""
    stored = enqueue(postgres_schema_url, 3000)
    with (
        open_backend(f"{postgres_schema_url}&application_name=victim") as backend,
        psycopg.connect(postgres_url, autocommit=True) as operator,
    ):
        drain = Drain(backend, 4)
        for progress in (300, 900, 1500):
            wait_until(lambda progress=progress: len(drain.acked) > progress, "progress")  # type: ignore[misc]
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'victim%' OR application_name = 'work listen'"
            )
        drain.finish()

    assert drain.acked <= stored
    assert len(stored - drain.acked) <= 3 * 4 * 20


def test_restart_between_two_calls_is_not_noticed(server: Cluster) -> None:
    """Connections that died while idle are replaced before they are used."""
    with server.running():
        backend = open_backend(server.url)
        backend.enqueue(QUEUE, [Job(id="a")])
        server.kill()
    with server.running(), backend:
        backend.enqueue(QUEUE, [Job(id="b")])

        leased = backend.dequeue(QUEUE, 10, at=utc_now(), lease=5.0)

    assert sorted(job.id for job in leased) == ["a", "b"]
