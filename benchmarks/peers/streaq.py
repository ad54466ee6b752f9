"""streaq on a Redis stream; results are not kept."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from streaq import Worker

from benchmarks import probe, settings

logging.getLogger("streaq").setLevel(logging.WARNING)
logging.getLogger("streaq").disabled = True  # its command sets the level back to INFO

worker = Worker(
    redis_url=settings.URL,
    concurrency=settings.CONCURRENCY,
    anyio_kwargs={"use_uvloop": True},
)
TASKS = {
    "noop": worker.task(name="noop", ttl=0)(probe.noop),
    "io": worker.task(name="io", ttl=0)(probe.io),
}
connection = AsyncExitStack()


async def connect() -> None:
    await connection.enter_async_context(worker)


async def disconnect() -> None:
    await connection.aclose()


async def enqueue(kind: str, number: int) -> None:
    await TASKS[kind].enqueue(number)


async def enqueue_many(kind: str, numbers: range) -> None:
    await worker.enqueue_many([TASKS[kind].enqueue(number) for number in numbers])
