"""repid on a Redis stream."""

from __future__ import annotations

from contextlib import AsyncExitStack

import uvloop
from repid import RedisServer, Repid, Router

from benchmarks import probe, settings

app = Repid(title="bench", version="1")
app.servers.register_server(
    "default", RedisServer(settings.URL, batch_size=min(settings.CONCURRENCY, 100)), is_default=True
)
router = Router()
router.actor(name="noop")(probe.noop)
router.actor(name="io")(probe.io)
app.include_router(router)
connection = AsyncExitStack()


async def connect() -> None:
    await connection.enter_async_context(app.servers.default.connection())


async def disconnect() -> None:
    await connection.aclose()


async def enqueue(kind: str, number: int) -> None:
    await app.send_message_json(
        channel="default", payload={"number": number}, headers={"topic": kind}
    )


async def enqueue_many(kind: str, numbers: range) -> None:
    for number in numbers:
        await enqueue(kind, number)


async def work() -> None:
    async with app.servers.default.connection():
        await app.run_worker(tasks_limit=settings.CONCURRENCY)


if __name__ == "__main__":
    uvloop.run(work())
