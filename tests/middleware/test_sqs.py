"""What works on a store that can only enqueue, dequeue and ack: SQS."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.servers.process import wait_until

from work_core.app import App
from work_core.errors import UnsupportedError
from work_core.memory import MemoryBackend
from work_core.plugins import open_backend
from work_core.worker import Worker
from work_middleware.concurrency import Concurrency
from work_middleware.dead_letters import DeadLetters
from work_middleware.dead_queue import DeadQueue
from work_middleware.max_retries import MaxRetries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_core.backend import Backend


@pytest.fixture
def sqs(sqs_endpoint: str) -> Iterator[Backend]:
    """Return a backend with queues that nobody else uses."""
    prefix = f"t{uuid.uuid4().hex[:8]}-"
    where = f"endpoint_url={quote(sqs_endpoint, '')}&prefix={prefix}&create=1"
    with open_backend(f"sqs://key:secret@eu-west-1/?{where}") as backend:
        yield backend


def test_dead_letters_are_kept_shown_and_replayed(sqs: Backend) -> None:
    """Without a way to browse the queue or to find a job in it."""
    broken = [True]
    with App(sqs, namespace="test", plugins=[MaxRetries(0), DeadLetters()]) as app:

        @app.task
        def send(to: str) -> None:
            if broken[0]:
                raise ValueError(to)

        for to in ("a", "b"):
            send.options(id=to).enqueue(to)
        dead = DeadQueue(sqs, send.queue_name)
        Worker(app).drain()
        wait_until(lambda: len(dead.letters(10)) == 2, "two letters")
        found = dead.find("b")
        assert found is not None
        assert found.error == "ValueError: b"
        assert dead.purge(["a"]) == 1
        broken[0] = False
        assert dead.replay() == 1
        wait_until(lambda: Worker(app).drain() == 1, "the new life of b")
        assert dead.letters(10) == []


def test_limits_need_a_second_store(sqs: Backend) -> None:
    """It says so at start, and works with one."""
    ran: list[int] = []
    app = App(sqs, namespace="test", plugins=[Concurrency(1)])

    @app.task
    def send() -> None:
        ran.append(1)

    send.enqueue()
    with pytest.raises(UnsupportedError, match="SQSBackend is not a Semaphores"):
        Worker(app).drain()
    with App(sqs, namespace="test", plugins=[Concurrency(1)], stores=MemoryBackend()) as second:
        worker = Worker(second)
        worker.register("send", lambda *_: ran.append(1))
        worker.start()
        wait_until(lambda: len(ran) == 1, "the job")
        worker.stop()
