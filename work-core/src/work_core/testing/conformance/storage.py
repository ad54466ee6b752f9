"""What goes in comes out: fields, names, replacing, isolation, bulk, durability."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from work_core.errors import PayloadTooLarge
from work_core.job import Job, QueueName
from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import QueueUnderTest, ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.backend import Backend
    from work_core.testing.travel import Travel

PAYLOADS = {
    "empty": b"",
    "text": b"hello",
    "no UTF-8": b"\xff\xfe\x00\x80\xc3(",
    "every byte": bytes(range(256)),
    "200 KB": bytes(range(250)) * 800,
}
NAMES = {
    "one character": "q",
    "200 characters": "q" * 200,
    "unicode": "Übung-日本-🚀",
    "punctuation": "mail:send/now {1} %41 *?[a]",
}


class Storage(Area):
    """What goes in comes out."""

    @pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
    def test_payload_comes_back(self, queue: QueueUnderTest, payload: bytes) -> None:
        """A payload is bytes of any content and comes back unchanged."""
        queue.put(payload)
        [job] = queue.dequeue()
        assert job.payload == payload

    @pytest.mark.parametrize("job_id", NAMES.values(), ids=NAMES)
    def test_id_comes_back(self, queue: QueueUnderTest, job_id: str) -> None:
        """An id is any text of 1 to 200 characters: it comes back, and acks the job."""
        queue.put(id=job_id)
        [job] = queue.dequeue()
        assert job.id == job_id
        assert queue.ack(job) == []
        queue.expire()
        assert queue.dequeue() == []

    @pytest.mark.parametrize("queue_id", NAMES.values(), ids=NAMES)
    def test_queue_name_is_free(
        self, backend: Backend, namespace: str, travel: Travel, queue_id: str
    ) -> None:
        """A queue id is any text of 1 to 200 characters."""
        queue = QueueUnderTest(backend, QueueName(namespace, queue_id), travel)
        put = queue.put(b"here")
        [job] = queue.dequeue()
        assert (job.id, job.payload) == (put.id, b"here")
        assert queue.ack(job) == []

    def test_every_field_comes_back(self, queue: QueueUnderTest) -> None:
        """All fields of a job come back, times to the microsecond."""
        now = queue.travel.now
        put = Job(
            b"payload",
            "the id",
            created_at=datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            updated_at=datetime(2024, 2, 29, 1, 2, 3, 45, tzinfo=UTC),
            enqueued_at=now - timedelta(microseconds=1),
            retries=7,
            last_error="ValueError: ünlucky 🚀\nline two",
        )
        queue.enqueue(put)
        [job] = queue.dequeue()
        job.lease, job.deliveries = None, 0
        assert job == put

    def test_other_time_zones_are_understood(self, queue: QueueUnderTest) -> None:
        """A time in another zone is the same moment, and comes back in UTC."""
        east = datetime.now(UTC).astimezone().tzinfo
        put = queue.job()
        put.enqueued_at = put.enqueued_at.astimezone(east)
        queue.enqueue(put)
        [job] = queue.dequeue()
        assert job.enqueued_at == put.enqueued_at
        assert job.enqueued_at.utcoffset() == timedelta(0)

    def test_long_error_comes_back(self, queue: QueueUnderTest) -> None:
        """An error text of 10,000 characters comes back whole."""
        put = queue.job()
        put.last_error = "é" * 10_000
        queue.enqueue(put)
        [job] = queue.dequeue()
        assert job.last_error == put.last_error

    def test_enqueue_reads_and_does_not_keep(self, queue: QueueUnderTest) -> None:
        """Changing a job after enqueue changes nothing in the store."""
        put = queue.put(b"as enqueued")
        put.payload = b"changed later"
        [job] = queue.dequeue()
        assert job.payload == b"as enqueued"

    def test_leased_job_is_a_copy(self, queue: QueueUnderTest) -> None:
        """Changing a leased job changes nothing in the store until it is rescheduled."""
        queue.put(b"as stored")
        [job] = queue.dequeue()
        job.payload, job.retries = b"changed", 9
        queue.expire()
        [again] = queue.dequeue()
        assert (again.payload, again.retries) == (b"as stored", 0)

    def test_nothing_does_nothing(self, queue: QueueUnderTest) -> None:
        """An empty sequence of jobs is accepted by every method and does nothing."""
        queue.enqueue()
        assert queue.ack() == []
        assert queue.reschedule() == []
        assert queue.extend(seconds=60) == []
        assert queue.dequeue() == []

    def test_enqueue_replaces_by_id(self, queue: QueueUnderTest) -> None:
        """Enqueueing a live id again replaces the job, payload and all: it comes out once."""
        queue.put(b"old", id="same")
        queue.put(b"new", id="same")
        jobs = queue.dequeue()
        assert [(job.id, job.payload) for job in jobs] == [("same", b"new")]

    def test_replacing_moves_the_due_time_back(self, queue: QueueUnderTest) -> None:
        """A due job that is replaced by a later one is hidden until then."""
        unit = queue.travel.unit
        queue.put(id="same")
        queue.put(id="same", due=unit)
        assert queue.dequeue() == []
        queue.travel(unit + queue.backend.resolution)
        assert ids(queue.dequeue()) == ["same"]

    def test_replacing_moves_the_due_time_forward(self, queue: QueueUnderTest) -> None:
        """A scheduled job that is replaced by one that is due comes at once, and only once."""
        queue.put(id="same", due=queue.travel.unit)
        queue.put(id="same")
        [job] = queue.dequeue()
        assert queue.ack(job) == []
        queue.expire()
        assert queue.dequeue() == []

    def test_later_of_one_id_in_a_call_wins(self, queue: QueueUnderTest) -> None:
        """Of two jobs with one id in one enqueue the later is stored."""
        queue.enqueue(queue.job(b"first", id="same"), queue.job(b"second", id="same"))
        assert [job.payload for job in queue.dequeue()] == [b"second"]

    def test_queues_are_isolated(self, queue: QueueUnderTest, backend: Backend) -> None:
        """A job is seen in its own queue only."""
        other = QueueUnderTest(backend, QueueName(queue.name.namespace, "other"), queue.travel)
        put = queue.put()
        assert other.dequeue() == []
        assert ids(queue.dequeue()) == [put.id]

    def test_namespaces_are_isolated(self, queue: QueueUnderTest, backend: Backend) -> None:
        """One id may live in two namespaces, and each holder acks its own."""
        name = QueueName(f"{queue.name.namespace}-other", queue.name.queue_id)
        other = QueueUnderTest(backend, name, queue.travel)
        queue.put(b"here", id="same")
        other.put(b"there", id="same")
        [here] = queue.dequeue()
        assert here.payload == b"here"
        assert queue.ack(here) == []
        [there] = other.dequeue()
        assert there.payload == b"there"

    def test_names_do_not_run_together(
        self, backend: Backend, namespace: str, travel: Travel
    ) -> None:
        """Namespace ``a`` with queue ``b:c`` is not namespace ``a:b`` with queue ``c``."""
        one = QueueUnderTest(backend, QueueName(namespace, "b:c"), travel)
        two = QueueUnderTest(backend, QueueName(f"{namespace}:b", "c"), travel)
        put = one.put()
        assert two.dequeue() == []
        assert ids(one.dequeue()) == [put.id]

    def test_bulk_of_2500(self, queue: QueueUnderTest) -> None:
        """One call takes 2,500 jobs, whatever the store's own limit."""
        jobs = [queue.job(b"%d" % number) for number in range(2500)]
        queue.enqueue(*jobs)
        leased = queue.dequeue(2500, lease=queue.travel.unit * 10)
        assert sorted(ids(leased)) == sorted(ids(jobs))
        assert queue.extend(*leased, seconds=queue.travel.unit * 10) == []
        assert queue.ack(*leased) == []
        assert queue.dequeue() == []

    def test_bulk_reschedule(self, queue: QueueUnderTest) -> None:
        """One call reschedules 300 jobs."""
        queue.enqueue(*[queue.job() for _ in range(300)])
        leased = queue.dequeue(300, lease=queue.travel.unit * 10)
        for job in leased:
            job.retries = 1
        assert queue.reschedule(*leased) == []
        again = queue.dequeue(300)
        assert [job.retries for job in again] == [1] * 300

    def test_too_large_stores_nothing(self, queue: QueueUnderTest, payload_limit: int) -> None:
        """A job beyond the store's limit is ``PayloadTooLarge``; nothing of the call is stored."""
        small, large = queue.job(), queue.job(bytes(payload_limit))
        with pytest.raises(PayloadTooLarge):
            queue.enqueue(small, large)
        assert queue.dequeue() == []

    def test_reopening_keeps_everything(
        self, queue: QueueUnderTest, backend: Backend, reopen: Callable[[], Backend]
    ) -> None:
        """Closing the backend and opening the store again loses no job and no lease."""
        queue.enqueue(queue.job(id="leased"), queue.job(b"kept", id="waiting"))
        [leased] = queue.dequeue(1)
        backend.close()
        queue.backend = reopen()
        [waiting] = queue.dequeue()
        assert {leased.id, waiting.id} == {"leased", "waiting"}
        queue.expire()
        assert sorted(ids(queue.dequeue())) == ["leased", "waiting"]

    def test_enqueued_is_seen_by_other_objects(
        self, queue: QueueUnderTest, reopen: Callable[[], Backend]
    ) -> None:
        """What one backend object enqueued, another one of the same store dequeues."""
        put = queue.put(b"shared")
        queue.backend = reopen()
        [job] = queue.dequeue()
        assert (job.id, job.payload) == (put.id, b"shared")
