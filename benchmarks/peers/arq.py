"""arq on Redis; results are not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arq import create_pool, func
from arq.connections import RedisSettings

from benchmarks import probe, settings

if TYPE_CHECKING:
    from arq import ArqRedis

QUIET = {"version": 1, "disable_existing_loggers": False}
REDIS = RedisSettings.from_dsn(settings.URL)
pool: ArqRedis


async def noop(_: dict[str, Any], number: int) -> None:
    await probe.noop(number)


async def io(_: dict[str, Any], number: int) -> None:
    await probe.io(number)


class WorkerSettings:
    functions = (func(noop, keep_result=0), func(io, keep_result=0))
    redis_settings = REDIS
    max_jobs = settings.CONCURRENCY


async def connect() -> None:
    global pool  # noqa: PLW0603 - arq's pool is made by a coroutine
    pool = await create_pool(REDIS)


async def disconnect() -> None:
    await pool.aclose()


async def enqueue(kind: str, number: int) -> None:
    await pool.enqueue_job(kind, number)


async def enqueue_many(kind: str, numbers: range) -> None:
    for number in numbers:
        await pool.enqueue_job(kind, number)
