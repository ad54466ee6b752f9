"""A job knows when it was made and due, and its id sorts by age."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from work_core.job import ZERO_TIME, Job, QueueName, new_id, utc_now

THEN = datetime(2023, 11, 14, tzinfo=UTC)


def test_an_id_is_a_uuid_of_version_7() -> None:
    """Ids are RFC 9562 UUIDs that hold the time in milliseconds."""
    before = utc_now()
    found = uuid.UUID(new_id())
    after = utc_now()
    assert str(found) == str(found).lower()
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    milliseconds = found.int >> 80
    assert int(before.timestamp() * 1000) <= milliseconds <= int(after.timestamp() * 1000) + 1


def test_ids_sort_by_age() -> None:
    """Of two ids made one after the other the later is the greater, however fast they are made."""
    ids = [new_id() for _ in range(10_000)]
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_ids_of_seeded_processes_differ() -> None:
    """A program that seeds its random numbers in every process still gets ids of its own."""
    code = "import random; random.seed(1); from work_core.job import new_id; print(new_id()[-15:])"
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert runs[0].stdout != runs[1].stdout


def test_a_new_job_is_due_when_it_is_made() -> None:
    """Without times a job is made now and due now."""
    before = utc_now()
    job = Job(b"payload")
    assert before <= job.created_at <= utc_now()
    assert job.created_at == job.updated_at == job.enqueued_at
    assert (job.retries, job.last_error, job.deliveries, job.lease) == (0, "", 0, None)


def test_times_that_are_given_are_kept() -> None:
    """A time that the caller gives stays, Go's zero time too."""
    job = Job(created_at=THEN, enqueued_at=ZERO_TIME)
    assert (job.created_at, job.updated_at, job.enqueued_at) == (THEN, THEN, ZERO_TIME)


def test_two_jobs_have_two_ids() -> None:
    """Every job gets an id of its own."""
    assert Job().id != Job().id


@given(st.text(), st.text())
def test_a_queue_name_reads_as_a_path(namespace: str, queue_id: str) -> None:
    """A queue is shown as namespace and queue id."""
    assert str(QueueName(namespace, queue_id)) == f"{namespace}/{queue_id}"
