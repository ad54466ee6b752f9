"""procrastinate on PostgreSQL; jobs that are done are deleted."""

from __future__ import annotations

import procrastinate

from benchmarks import probe, settings

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=settings.URL, max_size=20)
)
TASKS = {"noop": app.task(name="noop")(probe.noop), "io": app.task(name="io")(probe.io)}


async def connect() -> None:
    await app.open_async()
    if not await app.check_connection_async():
        await app.schema_manager.apply_schema_async()


async def disconnect() -> None:
    await app.close_async()


async def enqueue(kind: str, number: int) -> None:
    await TASKS[kind].defer_async(number=number)


async def enqueue_many(kind: str, numbers: range) -> None:
    await TASKS[kind].batch_defer_async(*({"number": number} for number in numbers))
