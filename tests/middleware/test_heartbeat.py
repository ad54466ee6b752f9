"""Keeping the leases of running jobs alive."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, handled, make_context
from tests.servers.process import wait_until

from work_core.app import App
from work_core.errors import BackendUnavailable
from work_core.job import Job, utc_now
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware.heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from work_core.backend import Backend
    from work_core.job import QueueName


class Recorder(MemoryBackend):
    """A memory backend that notes the calls of ``extend``."""

    def __init__(self) -> None:
        super().__init__()
        self.extended: list[list[str]] = []
        self.away = False

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Note and extend."""
        if self.away:
            raise BackendUnavailable("gone fishing")
        self.extended.append(sorted(job.id for job in jobs))
        return super().extend(queue, jobs, until=until)


def leased(store: Backend, *ids: str, age: float) -> list[Job]:
    """Return jobs that were leased *age* seconds ago for a minute."""
    start = utc_now() - timedelta(seconds=age)
    store.enqueue(QUEUE, [Job(id=job_id, created_at=start) for job_id in ids])
    return store.dequeue(QUEUE, len(ids), at=start, lease=60.0)


def beat_while_running(store: Backend, plugin: Heartbeat, jobs: list[Job]) -> None:
    """Run *jobs* inside each other and beat in the innermost."""
    if not jobs:
        plugin.beat()
        return
    run = handled(lambda _: beat_while_running(store, plugin, jobs[1:]), plugin)
    run(jobs[0], make_context(store))


def test_all_running_jobs_are_extended_in_one_call() -> None:
    """One thread keeps every lease, however many jobs run."""
    store = Recorder()
    beat_while_running(store, Heartbeat(), leased(store, "a", "b", "c", age=30))
    assert store.extended == [["a", "b", "c"]]


def test_a_lease_is_extended_by_its_full_length() -> None:
    """Counted from the beat on."""
    store = Recorder()
    (job,) = leased(store, "a", age=30)
    before = utc_now()
    beat_while_running(store, Heartbeat(), [job])
    assert job.lease is not None
    assert job.lease.until >= before + timedelta(seconds=60)


def test_a_fresh_lease_costs_nothing() -> None:
    """A job that has run for less than a third of its lease is left alone, unlike in Go."""
    store = Recorder()
    beat_while_running(store, Heartbeat(), leased(store, "a", age=10))
    assert store.extended == []


def test_the_interval_can_be_set() -> None:
    """Then a lease is extended when so many seconds of it are over."""
    store = Recorder()
    beat_while_running(store, Heartbeat(interval=5), leased(store, "a", age=10))
    assert store.extended == [["a"]]


def test_a_job_that_has_ended_is_not_extended() -> None:
    """Neither after its end nor after its failure."""
    store, plugin = Recorder(), Heartbeat()
    (job,) = leased(store, "a", age=30)
    with pytest.raises(ZeroDivisionError):
        handled(lambda _: 1 // 0, plugin)(job, make_context(store))
    plugin.beat()
    assert store.extended == []


def test_a_lost_lease_is_told_to_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else has the job: the context says so, the log too, and nobody extends it again."""
    store, plugin = Recorder(), Heartbeat()
    (job,) = leased(store, "a", age=90)
    store.dequeue(QUEUE, 1, at=utc_now(), lease=60.0)
    context = make_context(store)

    def handler(_: Job) -> None:
        plugin.beat()
        plugin.beat()

    with caplog.at_level(logging.WARNING):
        handled(handler, plugin)(job, context)
    assert context.lease_lost
    assert store.extended == [["a"]]
    assert "lost its lease" in caplog.text


def test_a_deleted_job_is_never_brought_back() -> None:
    """A heartbeat extends what is there and creates nothing."""
    store = Recorder()
    (job,) = leased(store, "a", age=30)
    store.delete(QUEUE, ["a"])
    beat_while_running(store, Heartbeat(), [job])
    assert store.find(QUEUE, ["a"]) == [None]


def test_a_store_that_is_away_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """One failed beat loses nothing."""
    store, plugin = Recorder(), Heartbeat()
    (job,) = leased(store, "a", age=30)

    def handler(_: Job) -> None:
        store.away = True
        plugin.beat()
        store.away = False
        plugin.beat()

    with caplog.at_level(logging.WARNING):
        handled(handler, plugin)(job, make_context(store))
    assert store.extended == [["a"]]
    assert "gone fishing" in caplog.text


def test_a_job_past_its_timeout_is_not_kept() -> None:
    """A handler that hangs gives its job to somebody else."""
    store, plugin = Recorder(), Heartbeat()
    (job,) = leased(store, "a", age=30)
    context = make_context(store)
    context.deadline = utc_now() - timedelta(seconds=1)
    handled(lambda _: plugin.beat(), plugin)(job, context)
    assert store.extended == []


def outlives_its_lease(started: datetime, lease: float) -> Callable[[], bool]:
    """Return whether twice the lease is over since *started*."""
    return lambda: utc_now() > started + timedelta(seconds=2 * lease)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_job_longer_than_its_lease_runs_once(backend: Backend, namespace: str, kind: str) -> None:
    """On every store, for handlers of both kinds, while another worker looks for jobs."""
    ran: list[datetime] = []
    ended = threading.Event()
    lease = 0.6
    with App(backend, namespace=namespace, plugins=[Heartbeat()]) as app:
        if kind == "sync":

            @app.task(name="send", lease=lease)
            def send() -> None:
                ran.append(utc_now())
                wait_until(outlives_its_lease(ran[0], lease), "the lease to end")
                ended.set()

            send.enqueue()
        else:

            @app.task(name="send", lease=lease)
            async def asend() -> None:
                ran.append(utc_now())
                await asyncio.to_thread(
                    wait_until, outlives_its_lease(ran[0], lease), "the lease to end"
                )
                ended.set()

            asend.enqueue()
        workers = [Worker(app), Worker(app)]
        for worker in workers:
            worker.start()
        assert ended.wait(30)
        for worker in workers:
            worker.stop()
    assert len(ran) == 1
