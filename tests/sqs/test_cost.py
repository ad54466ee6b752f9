"""Requests per job, which is what SQS costs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.servers.process import wait_until
from tests.sqs.conftest import service_url
from work_core.app import App
from work_core.job import Job, QueueName, utc_now
from work_core.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sqs.service import Service
    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "mails")
JOBS = 1000


def drain(backend: SQSBackend, limit: int) -> int:
    """Work as a worker does: acks ride on the next fetch. Return how many jobs were done."""
    done: list[Job] = []
    count = 0
    while True:
        _, jobs = backend.exchange(QUEUE, done, limit, at=utc_now(), lease=60)
        if not jobs:
            return count
        count += len(jobs)
        done = jobs


def test_a_thousand_jobs_cost_a_third_of_a_request_each(
    backend: SQSBackend, service: Service
) -> None:
    """Send, receive and delete in tens: at most 0.35 requests per job, all of them counted."""
    backend.enqueue(QUEUE, [Job() for _ in range(JOBS)])
    assert drain(backend, 10) == JOBS
    assert service.messages() == []
    assert sum(backend.requests.values()) <= 0.35 * JOBS
    assert backend.requests == dict(service.requests)


def test_a_deep_prefetch_costs_no_more(backend: SQSBackend) -> None:
    """A hundred jobs at a time are received in several requests at once, and hardly any in vain."""
    backend.enqueue(QUEUE, [Job() for _ in range(JOBS)])
    assert drain(backend, 100) == JOBS
    assert sum(backend.requests.values()) <= 0.35 * JOBS


def test_a_worker_with_real_handlers_costs_little(service: Service) -> None:
    """Jobs that end one by one on eight threads are still acked in tens."""
    finished: list[int] = []
    with App(service_url(service), namespace="shop") as app:

        @app.task(concurrency=8)
        def mails(number: int) -> None:
            threading.Event().wait(0.01)
            finished.append(number)

        mails.enqueue_many([{"number": number} for number in range(JOBS)])
        worker = Worker(app)
        worker.start()
        wait_until(lambda: len(finished) == JOBS and not service.messages(), "all jobs")
        worker.stop()
    assert sorted(finished) == list(range(JOBS))
    # 0.33 on a quiet machine; how many jobs a fetch brings depends on how fast the threads are.
    assert sum(service.requests.values()) <= 0.5 * JOBS


def test_acks_of_a_busy_queue_travel_in_tens(backend: SQSBackend, service: Service) -> None:
    """Acks that come three at a time wait for company, for a moment."""
    backend.enqueue(QUEUE, [Job() for _ in range(60)])
    assert drain(backend, 3) == 60
    wait_until(lambda: not service.messages(), "the last acks")
    assert service.requests["DeleteMessageBatch"] <= 12


def test_an_idle_queue_costs_one_poll_at_a_time(backend: SQSBackend, service: Service) -> None:
    """However often a worker asks, one request waits, and the next caller takes it over."""
    for _ in range(2):
        assert backend.dequeue(QUEUE, 1, at=utc_now(), lease=60, wait=1.0) == []
    assert service.requests["ReceiveMessage"] == 1
    backend.enqueue(QUEUE, [Job(id="a")])
    [job] = backend.dequeue(QUEUE, 1, at=utc_now(), lease=60, wait=20)
    assert job.id == "a"
    assert service.requests["ReceiveMessage"] == 1


def test_what_a_forgotten_poll_brought_is_given_back_at_close(
    open_backend: Callable[..., SQSBackend], service: Service
) -> None:
    """A message that came when nobody asked any more is visible again after ``close()``."""
    backend = open_backend()
    assert backend.dequeue(QUEUE, 1, at=utc_now(), lease=600, wait=1.0) == []
    backend.enqueue(QUEUE, [Job(id="a")])
    wait_until(lambda: service.messages()[0].receive_count == 1, "the poll to bring the job")
    other = open_backend()
    assert other.dequeue(QUEUE, 1, at=utc_now(), lease=60) == []
    backend.close()
    [job] = other.dequeue(QUEUE, 1, at=utc_now(), lease=60, wait=20)
    assert job.id == "a"


def test_known_queue_urls_are_not_looked_up(
    open_backend: Callable[..., SQSBackend], service: Service
) -> None:
    """With queue.<id>=<URL> a worker needs neither GetQueueUrl nor CreateQueue."""
    service.create("handmade")
    url = "http%3A%2F%2Fsqs.invalid%2F123456789012%2Fhandmade"
    backend = open_backend(f"queue.mails={url}")
    backend.enqueue(QUEUE, [Job()])
    assert drain(backend, 10) == 1
    assert {"GetQueueUrl", "CreateQueue"}.isdisjoint(backend.requests)
