"""taskiq on a Redis stream, without results."""

from __future__ import annotations

from taskiq_redis import RedisStreamBroker

from benchmarks import probe, settings

broker = RedisStreamBroker(settings.URL)
TASKS = {
    "noop": broker.task(task_name="noop")(probe.noop),
    "io": broker.task(task_name="io")(probe.io),
}


async def connect() -> None:
    await broker.startup()


async def disconnect() -> None:
    await broker.shutdown()


async def enqueue(kind: str, number: int) -> None:
    await TASKS[kind].kiq(number)


async def enqueue_many(kind: str, numbers: range) -> None:
    task = TASKS[kind]
    for number in numbers:
        await task.kiq(number)
