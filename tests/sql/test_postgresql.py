"""What is special about PostgreSQL: wake-ups, cheap leases, a scan that stays short, plans."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.servers.process import wait_until

from work_core.errors import BackendError
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend
from work_sql.postgresql import vacuum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUEUE = QueueName("shop", "mail")


@pytest.fixture
def operator(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A session that looks at the server from outside."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def backend(postgres_schema_url: str) -> Iterator[Any]:
    """A backend in a schema of its own."""
    with open_backend(postgres_schema_url) as backend:
        yield backend


class Waiting:
    """A consumer that never looks by itself, waiting in a thread."""

    def __init__(self, url: str) -> None:
        backend: Any = open_backend(url)
        self.backend = backend
        self.backend._store.poll = lambda _idle: 3600.0
        self._jobs: list[Job] = []
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()
        wait_until(self._listens, "the consumer to listen")

    def jobs(self) -> list[str]:
        """Return the ids it was given."""
        self._thread.join()
        self.backend.close()
        return [job.id for job in self._jobs]

    def _wait(self) -> None:
        self._jobs = self.backend.dequeue(QUEUE, 10, at=utc_now(), lease=60, wait=60)

    def _listens(self) -> bool:
        listener = self.backend._store._listener
        return listener is not None and listener.hears


def store(url: str, *jobs: Job) -> None:
    """Enqueue from what stands for another process."""
    with open_backend(url) as other:
        other.enqueue(QUEUE, jobs)


def test_new_job_wakes_other_processes(postgres_schema_url: str) -> None:
    """A consumer that does not poll hears of a job that another backend object stores."""
    waiting = Waiting(postgres_schema_url)

    store(postgres_schema_url, Job(id="a"))

    assert waiting.jobs() == ["a"]


def test_job_due_soon_is_announced(postgres_schema_url: str) -> None:
    """A job due within moments is told at once, so that the consumer can plan for it."""
    waiting = Waiting(postgres_schema_url)
    now = utc_now()

    store(postgres_schema_url, Job(b"", "a", now, now, now + timedelta(seconds=0.3)))

    assert waiting.jobs() == ["a"]


def test_listener_comes_back(postgres_schema_url: str, operator: psycopg.Connection) -> None:
    """A listener whose session was ended connects again and hears the next job."""
    waiting = Waiting(postgres_schema_url)
    first = waiting.backend._store._listener
    ended = operator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'work listen'"
    ).fetchall()
    wait_until(lambda: not first.hears, "the end of the session")
    wait_until(lambda: first.hears, "the listener to come back")

    store(postgres_schema_url, Job(id="a"))

    assert ended
    assert waiting.jobs() == ["a"]


def test_core_transaction_wakes_by_its_commit(
    postgres_schema_url: str, postgres_url: str, backend: Any
) -> None:
    """A job on a raw connection is announced when its transaction commits."""
    waiting = Waiting(postgres_schema_url)
    with psycopg.connect(postgres_url) as connection:
        backend.enqueue(QUEUE, [Job(id="a")], connection=connection)

    assert waiting.jobs() == ["a"]


def test_polling_serves_without_listening(postgres_schema_url: str) -> None:
    """With listen=0, as behind PgBouncer, a waiting consumer finds the job by looking."""
    with open_backend(f"{postgres_schema_url}&listen=0&prepare=0") as consumer:
        found: list[Job] = []
        thread = threading.Thread(
            target=lambda: found.extend(consumer.dequeue(QUEUE, 1, at=utc_now(), lease=60, wait=60))
        )
        thread.start()
        store(postgres_schema_url, Job(id="a"))
        thread.join()

    assert [job.id for job in found] == ["a"]


def test_leases_touch_no_index(postgres_schema_url: str, operator: psycopg.Connection) -> None:
    """Every lease is a heap-only update: the lease stands in no index, and pages keep room."""
    backend: Any = open_backend(postgres_schema_url)
    backend.enqueue(QUEUE, [Job(b"x" * 100) for _ in range(1000)])
    for _ in range(10):
        backend.dequeue(QUEUE, 100, at=utc_now(), lease=60)
    backend.close()  # a session tells its statistics when it ends
    table = backend._store._names.job

    def updates() -> tuple[int, int]:
        row = operator.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = %s::regclass",
            [table],
        ).fetchone()
        assert row is not None
        return row[0], row[1]

    wait_until(lambda: updates()[0] >= 1000, "the statistics")
    total, hot = updates()
    assert total == 1000
    assert hot / total > 0.95


def test_scan_steps_over_what_is_leased(backend: Any) -> None:
    """While a backlog flows, a fetch reads on where the last one ended."""
    backend.enqueue(QUEUE, [Job() for _ in range(3000)])
    for _ in range(15):
        backend.dequeue(QUEUE, 100, at=utc_now(), lease=60)
    scan = backend._scans["shop:mail"]

    assert scan.start(10**18) == scan.place
    assert scan.place.due > 0


def test_nothing_is_overlooked_behind_the_scan(backend: Any, postgres_schema_url: str) -> None:
    """An overdue job that arrives behind the scan is delivered before the queue is called empty."""
    backend.enqueue(QUEUE, [Job() for _ in range(1500)])
    for _ in range(11):
        backend.dequeue(QUEUE, 100, at=utc_now(), lease=60)
    long_ago = utc_now() - timedelta(days=1)
    store(postgres_schema_url, Job(b"", "late", long_ago, long_ago, long_ago))

    delivered: list[str] = []
    while jobs := backend.dequeue(QUEUE, 100, at=utc_now(), lease=60):
        delivered += [job.id for job in jobs]

    assert "late" in delivered
    assert len(delivered) == 401


def test_late_ack_and_new_lease_do_not_wait_for_each_other(
    backend: Any, postgres_schema_url: str
) -> None:
    """Two workers that ack late, each what the other leases anew, both get through."""
    backend.enqueue(QUEUE, [Job(id=f"{number:03}") for number in range(200)])
    at = utc_now()
    with open_backend(postgres_schema_url) as other:
        held = {
            backend: backend.dequeue(QUEUE, 100, at=at, lease=0.0),
            other: other.dequeue(QUEUE, 100, at=at, lease=0.0),
        }
        errors: list[Exception] = []

        def work(mine: Any) -> None:
            try:
                for _ in range(50):
                    held[mine] = mine.exchange(QUEUE, held[mine][:3], 50, at=at, lease=0.0).jobs
            except Exception as error:  # noqa: BLE001 - asserted below
                errors.append(error)

        threads = [threading.Thread(target=work, args=(one,)) for one in (backend, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert errors == []


def test_vacuum_runs_while_jobs_flow(
    backend: Any, operator: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After enough acks one process vacuums by itself."""
    monkeypatch.setattr(vacuum, "EVERY", 500)
    backend.enqueue(QUEUE, [Job() for _ in range(500)])

    backend.ack(QUEUE, backend.dequeue(QUEUE, 500, at=utc_now(), lease=60))

    query = "SELECT vacuum_count FROM pg_stat_user_tables WHERE relid = %s::regclass"
    count: Callable[[], Any] = lambda: operator.execute(  # noqa: E731
        query, [backend._store._names.job]
    ).fetchone()
    wait_until(lambda: count()[0] > 0, "the vacuum")


def test_count_gives_up_in_time(backend: Any) -> None:
    """Beyond ten thousand jobs the count is not exact, and says so."""
    backend.enqueue(QUEUE, [Job() for _ in range(10_500)])

    metrics = backend.metrics(QUEUE, at=utc_now())

    assert metrics.exact is False
    assert metrics.ready >= 10_000


def test_nul_in_an_error_is_kept_readable(backend: Any) -> None:
    """An error text that SQL cannot carry must not keep a job from being rescheduled."""
    backend.enqueue(QUEUE, [Job(id="a")])
    (job,) = backend.dequeue(QUEUE, 1, at=utc_now(), lease=60)
    job.last_error = "bad \0 byte and \udcff"

    assert backend.reschedule(QUEUE, [job]) == []

    assert backend.find(QUEUE, ["a"])[0].last_error == "bad \\x00 byte and \\udcff"


def test_id_that_sql_cannot_carry_is_refused(backend: Any) -> None:
    """Nothing is stored when one id of a call cannot be."""
    with pytest.raises(BackendError, match=r"job id 'a\\x00b' cannot be stored"):
        backend.enqueue(QUEUE, [Job(id="good"), Job(id="a\0b")])

    assert backend.find(QUEUE, ["good"]) == [None]
