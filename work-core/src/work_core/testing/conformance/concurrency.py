"""Many callers at once: threads, objects and processes never hold the same job."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import QueueUnderTest, ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.backend import Backend

_JOBS = 300
_LEASE = 3600.0
_PROCESS = """
import datetime, json, sys
from work_core.job import QueueName
from work_core.plugins import open_backend

url, namespace, queue_id, at, lease = json.loads(sys.argv[1])
at = datetime.datetime.fromisoformat(at)
with open_backend(url) as backend:
    queue = QueueName(namespace, queue_id)
    print("ready", flush=True)
    sys.stdin.readline()
    while jobs := backend.dequeue(queue, 7, at=at, lease=lease):
        for job in jobs:
            print(json.dumps(job.id))
"""


class Concurrency(Area):
    """Two callers never hold the same job, and none is forgotten."""

    @pytest.fixture
    def _many_switches(self) -> Iterator[None]:
        """Let threads take turns as often as they can, so that a gap between two steps is found."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

    @pytest.mark.usefixtures("_many_switches")
    def test_threads_never_share_a_job(self, queue: QueueUnderTest) -> None:
        """Four threads that dequeue at once get every job exactly once."""
        jobs = [queue.job() for _ in range(_JOBS)]
        queue.enqueue(*jobs)
        leased = _in_threads(4, lambda: _dequeue_all(queue))
        assert _twice(leased) == []
        assert sorted(leased) == sorted(ids(jobs))

    @pytest.mark.usefixtures("_many_switches")
    def test_objects_never_share_a_job(
        self, queue: QueueUnderTest, reopen: Callable[[], Backend]
    ) -> None:
        """Two backend objects on one store get every job exactly once."""
        jobs = [queue.job() for _ in range(_JOBS)]
        queue.enqueue(*jobs)
        sides = iter([queue, QueueUnderTest(reopen(), queue.name, queue.travel)])
        leased = _in_threads(2, lambda: _dequeue_all(next(sides)))
        assert _twice(leased) == []
        assert sorted(leased) == sorted(ids(jobs))

    @pytest.mark.usefixtures("_many_switches")
    def test_threads_enqueue_and_ack_together(self, queue: QueueUnderTest) -> None:
        """Threads that enqueue, lease and ack side by side lose nothing and run nothing twice."""

        def work() -> list[str]:
            done: list[str] = []
            for _ in range(20):
                queue.put()
                for job in queue.dequeue(2):
                    assert queue.ack(job) == []
                    done.append(job.id)
            return done

        done = _in_threads(4, work)
        done += _dequeue_all(queue)
        assert _twice(done) == []
        assert len(done) == 4 * 20

    @pytest.mark.usefixtures("_many_switches")
    def test_one_of_many_acks_wins(self, queue: QueueUnderTest) -> None:
        """Of stale holders and the true one acking at once only the true one removes the job."""
        queue.put()
        holders = []
        for _ in range(4):
            [job] = queue.dequeue()
            holders.append(job)
            queue.expire()
        pending = iter(holders[:-1])
        lost = _in_threads(3, lambda: queue.ack(next(pending)))
        assert lost == [holders[0].id] * 3
        assert queue.ack(holders[-1]) == []
        assert queue.dequeue() == []

    def test_processes_never_share_a_job(self, queue: QueueUnderTest, url: str) -> None:
        """Two processes that dequeue at once get every job exactly once."""
        jobs = [queue.job() for _ in range(_JOBS)]
        queue.enqueue(*jobs)
        arguments = json.dumps([url, *queue.name, queue.travel.now.isoformat(), _LEASE])
        with _start(arguments) as one, _start(arguments) as two:
            _read_ready(one)
            _read_ready(two)
            processes = iter([one, two])
            outputs = _in_threads(2, lambda: [_finish(next(processes))])
        leased = [json.loads(line) for output in outputs for line in output.splitlines()]
        assert _twice(leased) == []
        assert sorted(leased) == sorted(ids(jobs))


def _dequeue_all(queue: QueueUnderTest) -> list[str]:
    leased: list[str] = []
    while jobs := queue.dequeue(7, lease=_LEASE):
        leased += ids(jobs)
    return leased


def _twice(found: list[str]) -> list[str]:
    """Return the ids that were held by two callers at once."""
    return [job_id for job_id, count in Counter(found).items() if count > 1]


def _in_threads(number: int, call: Callable[[], list[str]]) -> list[str]:
    """Run *call* in *number* threads that start together, and return all that they returned."""
    gate = threading.Barrier(number)

    def run() -> list[str]:
        gate.wait()
        return call()

    with ThreadPoolExecutor(number) as pool:
        running = [pool.submit(run) for _ in range(number)]
        return [found for future in running for found in future.result()]


def _start(arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", _PROCESS, arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    if process.stdout.readline() != "ready\n":
        _, errors = process.communicate()
        pytest.fail(f"a second process could not open the store:\n{errors}")


def _finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate("go\n")
    assert process.returncode == 0, f"a second process failed:\n{errors}"
    return output
