"""dramatiq on Redis."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO

from benchmarks import probe, settings

broker = RedisBroker(url=settings.URL)
if settings.STYLE == "async":
    broker.add_middleware(AsyncIO())
dramatiq.set_broker(broker)
ACTORS = {"noop": dramatiq.actor(probe.noop), "io": dramatiq.actor(probe.io)}


def enqueue(kind: str, number: int) -> None:
    ACTORS[kind].send(number)


def enqueue_many(kind: str, numbers: range) -> None:
    actor = ACTORS[kind]
    for number in numbers:
        actor.send(number)
