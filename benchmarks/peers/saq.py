"""saq on Redis or PostgreSQL."""

from __future__ import annotations

from typing import Any

from saq import Job, Queue

from benchmarks import probe
from benchmarks import settings as bench

SIZE = {"max_concurrent_ops": 20} if bench.STORE == "redis" else {"max_size": 20}
queue = Queue.from_url(bench.URL, **SIZE)


async def noop(_: dict[str, Any], *, number: int) -> None:
    await probe.noop(number)


async def io(_: dict[str, Any], *, number: int) -> None:
    await probe.io(number)


settings = {"queue": queue, "functions": [noop, io], "concurrency": bench.CONCURRENCY}


async def connect() -> None:
    await queue.connect()


async def disconnect() -> None:
    await queue.disconnect()


async def enqueue(kind: str, number: int) -> None:
    await queue.enqueue(kind, number=number, ttl=-1)


async def enqueue_many(kind: str, numbers: range) -> None:
    for number in numbers:
        await queue.enqueue(Job(function=kind, kwargs={"number": number}, ttl=-1))
