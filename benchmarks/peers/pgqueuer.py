"""pgqueuer on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from benchmarks import probe, settings

if TYPE_CHECKING:
    from pgqueuer.models import Job

connection: asyncpg.Connection
queries: Queries


async def work() -> None:
    app = PgQueuer(AsyncpgDriver(await asyncpg.connect(settings.URL)))

    @app.entrypoint("noop")
    async def noop(job: Job) -> None:
        await probe.noop(int(job.payload))

    @app.entrypoint("io")
    async def io(job: Job) -> None:
        await probe.io(int(job.payload))

    await app.run(batch_size=100)


async def connect() -> None:
    global connection, queries  # noqa: PLW0603 - asyncpg connects in a coroutine
    connection = await asyncpg.connect(settings.URL)
    queries = Queries(AsyncpgDriver(connection))
    if not await connection.fetchval("SELECT to_regclass('pgqueuer')"):
        await queries.install()


async def disconnect() -> None:
    await connection.close()


async def enqueue(kind: str, number: int) -> None:
    await queries.enqueue(kind, b"%d" % number)


async def enqueue_many(kind: str, numbers: range) -> None:
    count = len(numbers)
    await queries.enqueue([kind] * count, [b"%d" % number for number in numbers], [0] * count)


if __name__ == "__main__":
    uvloop.run(work())  # what its own command does, which fails with the newest typer
