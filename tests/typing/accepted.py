"""What a type checker must accept: every right way to make a task and to enqueue it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_type

from work_core import App, Enqueued, Job, QueueName, Snooze, Task, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from work_core import HandleContext

app = App("memory://")


@app.task
def send(to: str, n: int = 1, *, urgent: bool = False) -> int:
    """Take a few arguments."""
    return n if to and urgent else 0


@app.task(queue="slow", concurrency=2, timeout=5, backoff=lambda retries, _error: retries * 2.0)
async def fetch(url: str) -> bytes:
    """Take one argument."""
    return url.encode()


def plain_calls_run_the_function() -> None:
    """A call has the function's own arguments and result."""
    assert_type(send("a"), int)
    assert_type(send(to="a", n=2, urgent=True), int)


async def async_calls_are_awaited() -> None:
    """An async task's call is a coroutine."""
    assert_type(await fetch("a"), bytes)


def calls_are_enqueued() -> None:
    """Enqueue takes the function's arguments, whichever way."""
    assert_type(send.enqueue("a"), Enqueued)
    send.enqueue("a", 2, urgent=True)
    send.enqueue(to="a", n=2)
    fetch.enqueue("a")
    send.options(delay=5).enqueue("a", 2)
    send.options(delay=timedelta(hours=1), id="x").enqueue(to="a")
    send.options(at=datetime.now(UTC), connection=object()).enqueue("a", urgent=True)
    assert_type(send.enqueue_many([("a",), ("b", 2)]), list[Enqueued])
    send.enqueue_many([{"to": "a"}, {"to": "b", "n": 2}])


async def calls_are_enqueued_from_a_loop() -> None:
    """So do the async ways."""
    assert_type(await send.aenqueue("a", 2), Enqueued)
    await send.options(delay=5).aenqueue("a", n=2)
    await fetch.aenqueue("a")


def tasks_have_a_type() -> None:
    """A task can be passed on, with its parameters and result."""

    def resend(task: Task[[str], object], to: str) -> Enqueued:
        return task.enqueue(to)

    wide: Callable[[str], object] = send
    resend(app.task(name="other")(lambda to: to), "a")
    wide("a")
    assert_type(send.queue_name, QueueName)


def jobs_and_queues_have_types() -> None:
    """What is underneath is typed too."""
    done = app.queue("mail").enqueue(Job(b"payload", enqueued_at=datetime.now(UTC)))
    assert_type(done.id, str)
    assert_type(done.job, Job | None)


class Middleware:
    """A plug-in as an author would write it."""

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Look at the job and its context."""
        if context.attempt > 1 and not job.last_error:
            raise Snooze(5)
        return (yield)
