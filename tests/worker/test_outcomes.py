"""What becomes of a job: ack, retry, discard, snooze, leave."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from work_core import (
    App,
    Discard,
    HandleContext,
    InvalidPayload,
    Job,
    LeaveLeased,
    Snooze,
    Worker,
    current_context,
    current_job,
    hookimpl,
)
from work_core.errors import WorkError
from work_core.job import QueueName, utc_now
from work_core.retry import Decision, Outcome

if TYPE_CHECKING:
    from work_core.memory import MemoryBackend


def stored(backend: MemoryBackend, queue_id: str) -> list[Job]:
    """Return what waits in a queue."""
    return backend.jobs(QueueName("test", queue_id)).jobs


def test_a_job_whose_handler_returns_is_removed(app: App, backend: MemoryBackend) -> None:
    """Returning acks."""
    seen: list[int] = []

    @app.task
    def record(number: int) -> None:
        seen.append(number)

    record.enqueue(7)

    assert Worker(app).drain() == 1
    assert seen == [7]
    assert stored(backend, "record") == []


def test_a_job_whose_handler_raises_comes_back_later(app: App, backend: MemoryBackend) -> None:
    """Raising spends a retry, keeps the error, and makes the job due after the backoff."""

    @app.task(backoff=lambda retries, error: 90.0 * retries)
    def fail() -> None:
        raise ValueError("no such town: Ulm")

    fail.enqueue()
    Worker(app).drain()

    (job,) = stored(backend, "fail")
    assert (job.retries, job.last_error) == (1, "ValueError: no such town: Ulm")
    assert timedelta(seconds=85) < job.enqueued_at - utc_now() <= timedelta(seconds=90)


def test_system_exit_in_a_handler_is_a_failure_like_any_other(
    app: App, backend: MemoryBackend
) -> None:
    """A library that calls sys.exit() takes down its job, not the worker."""

    @app.task
    def leave() -> None:
        raise SystemExit(3)

    leave.enqueue()
    Worker(app).drain()

    (job,) = stored(backend, "leave")
    assert job.last_error == "SystemExit: 3"


def test_discard_removes_the_job(app: App, backend: MemoryBackend) -> None:
    """Discard means that trying again is no use."""

    @app.task
    def give_up() -> None:
        raise Discard("the account is gone")

    give_up.enqueue()

    assert Worker(app).drain() == 1
    assert stored(backend, "give_up") == []


def test_snooze_puts_the_job_back_without_spending_a_retry(
    app: App, backend: MemoryBackend
) -> None:
    """Snooze moves the due time and nothing else."""

    @app.task
    def later() -> None:
        raise Snooze(600)

    later.enqueue()
    Worker(app).drain()

    (job,) = stored(backend, "later")
    assert (job.retries, job.last_error) == (0, "")
    assert job.enqueued_at - utc_now() > timedelta(seconds=595)


def test_leave_leased_leaves_the_job_to_its_lease(app: App, backend: MemoryBackend) -> None:
    """A job left leased is delivered again when the lease ends."""

    @app.task(lease=30)
    def leave() -> None:
        raise LeaveLeased("somebody else reschedules it")

    leave.enqueue()
    Worker(app).drain()

    later = utc_now() + timedelta(seconds=31)
    (job,) = backend.dequeue(QueueName("test", "leave"), 1, at=later, lease=30)
    assert job.deliveries == 2


def test_a_backoff_that_fails_does_not_cost_the_job(app: App, backend: MemoryBackend) -> None:
    """When the backoff itself raises, the job is retried in a minute."""

    def broken(retries: int, error: BaseException) -> float:
        raise ZeroDivisionError

    @app.task(backoff=broken)
    def fail() -> None:
        raise ValueError

    fail.enqueue()
    Worker(app).drain()

    (job,) = stored(backend, "fail")
    assert job.enqueued_at - utc_now() > timedelta(seconds=55)


def test_a_payload_that_does_not_fit_is_a_failure_that_says_why(
    app: App, backend: MemoryBackend
) -> None:
    """A worker that is older than the program that enqueued defers what it cannot read."""

    @app.task
    def greet(name: str) -> None:
        raise AssertionError(name)

    app.queue("greet").enqueue(Job(b"\x81\xa3age\x07"))
    Worker(app).drain()

    (job,) = stored(backend, "greet")
    assert job.last_error == (
        "InvalidPayload: the payload for task 'greet' misses name and has unknown age"
    )


def test_tasks_may_share_a_queue(app: App) -> None:
    """The payload tells the tasks of a shared queue apart."""
    seen: list[str] = []

    @app.task(queue="mail")
    def welcome(to: str) -> None:
        seen.append(f"welcome {to}")

    @app.task(queue="mail")
    def goodbye(to: str) -> None:
        seen.append(f"goodbye {to}")

    goodbye.enqueue("ann")
    welcome.enqueue("bob")
    Worker(app, concurrency=1).drain()

    assert seen == ["goodbye ann", "welcome bob"]


def test_a_shared_queue_defers_a_task_that_it_does_not_know(
    app: App, backend: MemoryBackend
) -> None:
    """During a rolling deploy an old worker meets new tasks; it must not lose them."""

    @app.task(queue="mail")
    def welcome(to: str) -> None: ...

    @app.task(queue="mail")
    def goodbye(to: str) -> None: ...

    app.queue("mail").enqueue(Job(b"\x81\xa5_task\xa3new"))
    Worker(app).drain()

    (job,) = stored(backend, "mail")
    assert "names none of this queue's tasks here: welcome, goodbye" in job.last_error


def test_a_job_of_no_known_task_passes_the_middleware_as_any_other(
    backend: MemoryBackend,
) -> None:
    """So its retries end, where a plug-in says that they do."""

    class Never:
        @hookimpl(wrapper=True)
        def work_handle(self):  # type: ignore[no-untyped-def] # noqa: ANN202
            try:
                return (yield)
            except InvalidPayload as error:
                raise Discard("unreadable") from error

    app = App(backend, namespace="test", plugins=[Never()])

    @app.task(queue="mail")
    def welcome(to: str) -> None: ...

    @app.task(queue="mail")
    async def goodbye(to: str) -> None: ...

    app.queue("mail").enqueue(Job(b"\x81\xa5_task\xa3new"))

    assert Worker(app).drain() == 1
    assert stored(backend, "mail") == []


def test_a_bare_handler_gets_job_and_context(app: App) -> None:
    """A handler registered on the worker reads the payload by itself."""
    seen: list[tuple[bytes, int, str]] = []

    def handle(job: Job, context: HandleContext) -> None:
        seen.append((job.payload, context.attempt, context.task))

    worker = Worker(app)
    worker.register("raw", handle)
    app.queue("raw").enqueue(Job(b"\xff\x00"))
    worker.drain()

    assert seen == [(b"\xff\x00", 1, "raw")]


def test_a_handler_can_ask_for_its_job_and_context(app: App) -> None:
    """Code called by a handler finds out which job it works for."""
    seen: list[tuple[str, str]] = []

    @app.task
    def ask() -> None:
        seen.append((current_job().id, current_context().task))

    @app.task
    async def ask_async() -> None:
        seen.append((current_job().id, current_context().task))

    ids = [ask.enqueue().id, ask_async.enqueue().id]
    Worker(app).drain()

    assert sorted(seen) == sorted(zip(ids, ["ask", "ask_async"], strict=True))


def test_there_is_no_current_job_outside_a_handler() -> None:
    """Asking in the wrong place is an error that says so."""
    with pytest.raises(WorkError, match="no job runs here"):
        current_job()


def test_plugins_hear_the_outcome_of_every_job(backend: MemoryBackend) -> None:
    """work_job_finished tells what the store is about to be told."""
    heard: list[tuple[Decision, str]] = []

    class Listener:
        @hookimpl
        def work_job_finished(self, outcome: Outcome, context: HandleContext) -> None:
            heard.append((outcome.decision, context.task))

    app = App(backend, namespace="test", plugins=[Listener()])

    @app.task
    def fine() -> None: ...

    @app.task
    def broken() -> None:
        raise InvalidPayload("bad")

    fine.enqueue()
    broken.enqueue()
    Worker(app).drain()

    assert sorted(heard, key=str) == [(Decision.ACK, "fine"), (Decision.RETRY, "broken")]


def test_a_plugin_that_fails_on_the_outcome_does_not_change_it(backend: MemoryBackend) -> None:
    """Listening must not cost a job its ack."""

    class Listener:
        @hookimpl
        def work_job_finished(self) -> None:
            raise RuntimeError("listener is broken")

    app = App(backend, namespace="test", plugins=[Listener()])

    @app.task
    def fine() -> None: ...

    fine.enqueue()

    assert Worker(app).drain() == 1
    assert stored(backend, "fine") == []


def test_a_task_may_share_the_queue_that_another_is_named_after(app: App) -> None:
    """Jobs of the task that gave the queue its name do not name their task."""
    seen: list[str] = []

    @app.task
    def mail(to: str) -> None:
        seen.append(f"mail {to}")

    @app.task(queue="mail")
    def digest() -> None:
        seen.append("digest")

    mail.enqueue("ann")
    digest.enqueue()
    Worker(app, concurrency=1).drain()

    assert seen == ["mail ann", "digest"]
