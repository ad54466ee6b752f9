"""work itself, with its default set of middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import probe, settings
from work_core import App, hookimpl
from work_core.plugins import load_middleware

if TYPE_CHECKING:
    from collections.abc import Iterable

MIDDLEWARE = ("heartbeat", "max-retries", "dead-letters", "logging")

app = App(settings.URL, namespace="bench", plugins=[load_middleware(name)() for name in MIDDLEWARE])
task = app.task(concurrency=settings.CONCURRENCY)
TASKS = {"noop": task(probe.noop), "io": task(probe.io)}


def enqueue(kind: str, number: int) -> None:
    TASKS[kind].enqueue(number)


def enqueue_many(kind: str, numbers: Iterable[int]) -> None:
    TASKS[kind].enqueue_many([(number,) for number in numbers])


def disconnect() -> None:
    app.close()


class Fill:
    """Enqueue the backlog in the worker itself: nobody else can reach its memory."""

    @hookimpl
    def work_worker_started(self) -> None:
        kind, count = settings.FILLED
        enqueue_many(kind, range(int(count)))


if settings.FILLED:
    app.plugins.append(Fill())
