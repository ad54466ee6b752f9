"""huey on Redis or SQLite, without results."""

from __future__ import annotations

from huey import RedisHuey, SqliteHuey

from benchmarks import probe, settings

huey = (
    RedisHuey("bench", url=settings.URL, results=False)
    if settings.STORE == "redis"
    else SqliteHuey("bench", filename=settings.URL.removeprefix("sqlite:///"), results=False)
)
TASKS = {"noop": huey.task()(probe.noop), "io": huey.task()(probe.io)}


def enqueue(kind: str, number: int) -> None:
    TASKS[kind](number)


def enqueue_many(kind: str, numbers: range) -> None:
    task = TASKS[kind]
    for number in numbers:
        task(number)
