"""celery on Redis, without a result backend."""

from __future__ import annotations

import celery

from benchmarks import probe, settings

app = celery.Celery("bench", broker=settings.URL)
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
TASKS = {"noop": app.task(name="noop")(probe.noop), "io": app.task(name="io")(probe.io)}


def enqueue(kind: str, number: int) -> None:
    TASKS[kind].delay(number)


def enqueue_many(kind: str, numbers: range) -> None:
    task = TASKS[kind]
    with app.producer_or_acquire() as producer:
        for number in numbers:
            task.apply_async((number,), producer=producer)
