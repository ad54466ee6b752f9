"""rq on Redis; results are not kept."""

from __future__ import annotations

from redis import Redis
from rq import Queue

from benchmarks import probe, settings

queue = Queue(connection=Redis.from_url(settings.URL))
FUNCTIONS = {"noop": probe.noop, "io": probe.io}


def enqueue(kind: str, number: int) -> None:
    queue.enqueue(FUNCTIONS[kind], number, result_ttl=0)


def enqueue_many(kind: str, numbers: range) -> None:
    function = FUNCTIONS[kind]
    queue.enqueue_many(
        [Queue.prepare_data(function, (number,), result_ttl=0) for number in numbers]
    )
