"""Keeping the jobs that are given up."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, PlainBackend, fail, handled, make_context
from tests.servers.process import wait_until

from work_core.app import App
from work_core.codec import encode_payload
from work_core.errors import BackendUnavailable, Discard, InvalidPayload, PayloadTooLarge
from work_core.job import Job, QueueName, utc_now
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware.dead_letter import DeadLetter, dead_queue, letter_id
from work_middleware.dead_letters import DeadLetters
from work_middleware.dead_queue import DeadQueue
from work_middleware.discard_after import DiscardAfter
from work_middleware.error_history import ErrorHistory
from work_middleware.max_retries import MaxRetries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_core.backend import Backend


class Narrow(MemoryBackend):
    """A memory backend that takes payloads up to *limit* bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Refuse or store."""
        for job in jobs:
            if len(job.payload) > self.limit:
                raise PayloadTooLarge(f"{len(job.payload)} bytes are too many")
        super().enqueue(queue, jobs)


def bury(store: Backend, *ids: str, payload: bytes = b"\x80") -> None:
    """Have the jobs *ids* discarded."""
    run = handled(fail, DeadLetters(), MaxRetries(0))
    for job_id in ids:
        with pytest.raises(Discard):
            run(Job(payload, job_id, deliveries=1), make_context(store))


def letters(store: Backend, queue: QueueName = QUEUE) -> list[DeadLetter]:
    """Return the letters of *queue*."""
    return DeadQueue(store, queue).letters(100)


@pytest.fixture(params=["able", "plain"])
def store(request: pytest.FixtureRequest) -> Backend:
    """Return a store with all capabilities, and one with none."""
    return MemoryBackend() if request.param == "able" else PlainBackend()


def test_a_letter_says_what_happened(store: Backend) -> None:
    """Who died, where, of what, and after how much."""
    bury(store, "a", payload=b"\x81\xa2to\xa1x")
    (letter,) = letters(store)
    assert (letter.id, letter.queue, letter.task) == ("a", "send", "send")
    assert letter.reason == "failed with 0 retries spent"
    assert letter.error == "ValueError: no reason"
    assert "raise ValueError" in letter.traceback
    assert letter.arguments() == {"to": "x"}
    assert (letter.retries, letter.deliveries) == (0, 1)
    assert letter.died_at >= letter.created_at


def test_it_sees_every_discard() -> None:
    """Wherever the plug-in stands in the list, that of the handler included."""
    store = MemoryBackend()
    for number, plugins in enumerate(
        ([DeadLetters(), MaxRetries(0)], [MaxRetries(0), DeadLetters()])
    ):
        with pytest.raises(Discard):
            handled(fail, *plugins)(Job(id=f"{number}"), make_context(store))

    def give_up(_: Job) -> None:
        raise Discard("no such user")

    with pytest.raises(Discard):
        handled(give_up, DeadLetters())(Job(id="2"), make_context(store))
    assert [letter.id for letter in letters(store)] == ["0", "1", "2"]
    assert letters(store)[2].error == "Discard: no such user"


def test_failures_and_successes_leave_no_letter() -> None:
    """Only what is given up is kept."""
    store = MemoryBackend()
    run = handled(fail, DeadLetters())
    with pytest.raises(ValueError, match="no reason"):
        run(Job(), make_context(store))
    handled(lambda _: None, DeadLetters())(Job(), make_context(store))
    assert letters(store) == []


def test_a_job_whose_letter_cannot_be_stored_is_not_discarded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It fails with the store's error instead, and so it is tried again."""

    class Away(MemoryBackend):
        def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
            raise BackendUnavailable("away")

    with pytest.raises(BackendUnavailable), caplog.at_level(logging.ERROR):
        handled(fail, DeadLetters(), MaxRetries(0))(Job(), make_context(Away()))
    assert "cannot be stored: away" in caplog.text


def test_a_letter_that_is_too_large_goes_without_its_traceback() -> None:
    """The job itself matters more."""
    store = Narrow(600)
    bury(store, "a", payload=b"x" * 100)
    (letter,) = letters(store)
    assert letter.traceback == ""
    assert letter.payload == b"x" * 100
    assert letter.error == "ValueError: no reason"


def test_dying_twice_leaves_one_letter(store: Backend) -> None:
    """An ack that got lost does not double it."""
    bury(store, "a")
    bury(store, "a")
    assert len(letters(store)) == 1


def test_who_has_lost_the_lease_discards_nothing() -> None:
    """Another worker has the job, and may succeed."""
    store = MemoryBackend()
    context = make_context(store)
    context.lease_lost = True
    with pytest.raises(Discard):
        handled(fail, DeadLetters(), MaxRetries(0))(Job(), context)
    assert letters(store) == []


def test_dead_letters_do_not_die_again() -> None:
    """A worker on the dead queue may discard them for good."""
    store = MemoryBackend()
    with pytest.raises(Discard):
        handled(fail, DeadLetters(), MaxRetries(0))(Job(), make_context(store, dead_queue(QUEUE)))
    assert store.queues(QUEUE.namespace) == []


def test_a_letter_has_an_id_of_its_own() -> None:
    """One that every store can hold, however long the job's is."""
    assert letter_id("a") == "dead:a"
    assert len(letter_id("x" * 200)) <= 200
    assert letter_id("x" * 200) != letter_id("x" * 201)


def test_what_is_no_letter_is_told_apart() -> None:
    """Somebody may have enqueued into the dead queue by hand."""
    with pytest.raises(InvalidPayload, match="no dead letter"):
        DeadLetter.from_job(Job(encode_payload({"to": "x"}), "a"))


def test_a_letter_is_found_by_its_job(store: Backend) -> None:
    """And still there afterwards, for the next to look at."""
    bury(store, "a", "b", "c")
    dead = DeadQueue(store, QUEUE)
    found = dead.find("b")
    assert found is not None
    assert found.id == "b"
    assert dead.find("nobody") is None
    assert [letter.id for letter in letters(store)] == ["a", "b", "c"]


def test_replay_gives_a_job_a_new_life(store: Backend) -> None:
    """The same id and payload, no failures, due now; and the letter is gone."""
    bury(store, "a", "b", payload=b"\x81\xa2to\xa1x")
    assert DeadQueue(store, QUEUE).replay(["b"]) == 1
    (job,) = store.dequeue(QUEUE, 9, at=utc_now(), lease=1.0)
    assert (job.id, job.payload, job.retries, job.last_error) == ("b", b"\x81\xa2to\xa1x", 0, "")
    assert [letter.id for letter in letters(store)] == ["a"]


def test_all_can_be_replayed(store: Backend) -> None:
    """However many there are."""
    bury(store, *(f"{number:03}" for number in range(250)))
    assert DeadQueue(store, QUEUE).replay() == 250
    assert letters(store) == []
    assert len(store.dequeue(QUEUE, 999, at=utc_now(), lease=1.0)) == 250


def test_letters_can_be_purged(store: Backend) -> None:
    """By job, by age, or all."""
    bury(store, "a", "b", "c", "d")
    dead = DeadQueue(store, QUEUE)
    second = next(letter for letter in letters(store) if letter.id == "b")
    assert dead.purge(before=second.died_at) == 1
    assert dead.purge(["c", "nobody"]) == 1
    assert [letter.id for letter in letters(store)] == ["b", "d"]
    assert dead.purge() == 2
    assert letters(store) == []


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_out_of_retries_a_job_moves_with_its_history(
    backend: Backend, queue: QueueName, kind: str
) -> None:
    """On every store, from handlers of both kinds; replayed, it may still succeed."""
    broken = [True]
    plugins = [MaxRetries(2), DeadLetters(), ErrorHistory()]

    def work(n: int) -> None:
        if broken[0]:
            raise ValueError(f"no luck with {n}")

    with App(backend, namespace=queue.namespace, plugins=plugins) as app:
        if kind == "sync":

            @app.task(name=queue.queue_id, backoff=lambda *_: 0.0)
            def send(n: int) -> None:
                work(n)

            job_id = send.enqueue(7).id
        else:

            @app.task(name=queue.queue_id, backoff=lambda *_: 0.0)
            async def asend(n: int) -> None:
                await asyncio.sleep(0)
                work(n)

            job_id = asend.enqueue(7).id
        wait_until(lambda: Worker(app).drain() == 0 and bool(letters(backend, queue)), "a letter")
        (letter,) = letters(backend, queue)
        assert (letter.id, letter.retries) == (job_id, 2)
        assert letter.error == "ValueError: no luck with 7"
        assert letter.history.count("ValueError: no luck with 7") == 2
        broken[0] = False
        assert DeadQueue(backend, queue).replay() == 1
        assert Worker(app).drain() == 1
    assert letters(backend, queue) == []
    assert backend.dequeue(queue, 1, at=utc_now() + timedelta(days=1), lease=1.0) == []


def test_a_job_too_old_moves_too(backend: Backend, queue: QueueName) -> None:
    """Whatever discards it."""
    backend.enqueue(queue, [Job(id="a", created_at=utc_now() - timedelta(hours=1))])
    plugins = [DiscardAfter(60), DeadLetters()]
    with App(backend, namespace=queue.namespace, plugins=plugins) as app:
        worker = Worker(app)
        worker.register(queue.queue_id, lambda job, _: fail(job))
        worker.drain()
    assert [letter.id for letter in letters(backend, queue)] == ["a"]
