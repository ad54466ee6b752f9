"""Several processes, a bad network, and a fork."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from tests.sqs.conftest import service_url
from work_core.errors import BackendUnavailable, EnqueueFailed
from work_core.job import Job, QueueName, utc_now

if TYPE_CHECKING:
    from tests.sqs.service import Service
    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "mails")
JOBS = 2000

logger = logging.getLogger(__name__)

WORKER = """
import sys
from work_core.errors import BackendError
from work_core.job import QueueName, utc_now
from work_core.plugins import open_backend

queue, done, empty = QueueName("shop", "mails"), [], 0
with open_backend(sys.argv[1]) as backend:
    while empty < 5:
        try:
            _, jobs = backend.exchange(queue, done, 10, at=utc_now(), lease=3, wait=1)
        except BackendError:
            continue
        empty = 0 if jobs else empty + 1
        for job in jobs:
            print(job.id)
        done = jobs
"""


def test_no_job_is_lost_in_a_bad_network(backend: SQSBackend, service: Service) -> None:
    """2,000 jobs, two worker processes, every tenth request failing: all are run, some twice."""
    service.faults.rate = 0.1
    jobs = [Job() for _ in range(JOBS)]
    left = jobs
    while left:
        left = _enqueue(backend, left)
    command = [sys.executable, "-c", WORKER, service_url(service, "create=1&wait=1")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [worker.communicate(timeout=100)[0] for worker in workers]
    runs = Counter(line for output in outputs for line in output.splitlines())

    assert [worker.returncode for worker in workers] == [0, 0]
    assert set(runs) == {job.id for job in jobs}
    assert all(output for output in outputs), "one process did all the work"
    assert sum(service.faults.happened.values()) > 30
    assert service.messages() == []
    duplicates = sum(runs.values()) - JOBS
    logger.info("%d jobs were run twice; faults: %s", duplicates, service.faults.happened)
    # Of a hundred requests ten fail, of which two or three repeat the work of at most ten jobs.
    assert duplicates < JOBS / 10


def _enqueue(backend: SQSBackend, jobs: list[Job]) -> list[Job]:
    """Enqueue *jobs* and return those that could not be."""
    try:
        backend.enqueue(QUEUE, jobs)
    except EnqueueFailed as error:
        return [job for job, _ in error.failed]
    except BackendUnavailable:
        return jobs
    return []


def test_a_forked_child_has_connections_of_its_own(backend: SQSBackend) -> None:
    """A backend used before a fork works in the child and goes on in the parent."""
    backend.enqueue(QUEUE, [Job(id="a"), Job(id="b")])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        leased = backend.dequeue(QUEUE, 1, at=utc_now(), lease=60, wait=2)
        backend.ack(QUEUE, leased)
        os.write(writing, json.dumps([job.id for job in leased]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = json.loads(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    ours = [job.id for job in backend.dequeue(QUEUE, 2, at=utc_now(), lease=60)]
    assert sorted(theirs + ours) == ["a", "b"]
