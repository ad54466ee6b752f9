"""What is kept of errors: each attempt's, and tracebacks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from work_core.app import App
from work_core.job import Job, utc_now
from work_core.retry import LAST_ERROR_LIMIT
from work_core.worker import Worker
from work_middleware.error_history import ErrorHistory, split_history
from work_middleware.recovery import Recovery

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.job import QueueName


def fail_often(
    backend: Backend, queue: QueueName, plugins: list[object], messages: list[str]
) -> Job:
    """Run a job that fails with each of *messages* in turn; return it as it is stored then."""
    backend.enqueue(queue, [Job(id="a")])
    left = iter(messages)

    def handler(_job: Job, _context: object) -> None:
        raise ValueError(next(left))

    with App(backend, namespace=queue.namespace, plugins=plugins) as app:
        for _ in messages:
            worker = Worker(app)
            worker.register(queue.queue_id, handler, backoff=lambda *_: -1.0)
            assert worker.run_once()
    (job,) = backend.dequeue(queue, 1, at=utc_now() + timedelta(days=1), lease=1.0)
    return job


def test_every_attempt_is_kept_newest_first(backend: Backend, queue: QueueName) -> None:
    """On every store, each earlier error with its number and time."""
    job = fail_often(backend, queue, [ErrorHistory()], ["one", "two", "three"])
    newest, second, first = split_history(job.last_error)
    assert newest == "ValueError: three"
    assert second.startswith("failure 2 at 20")
    assert second.endswith(": ValueError: two")
    assert first.startswith("failure 1 at 20")
    assert first.endswith(": ValueError: one")
    assert job.retries == 3


def test_only_so_many_are_kept(backend: Backend, queue: QueueName) -> None:
    """The oldest go first."""
    job = fail_often(backend, queue, [ErrorHistory(keep=2)], ["one", "two", "three"])
    assert [error[-5:] for error in split_history(job.last_error)] == ["three", ": two"]


def test_the_history_stays_small(backend: Backend, queue: QueueName) -> None:
    """It travels with every fetch of the job."""
    job = fail_often(backend, queue, [ErrorHistory()], ["x" * 3000, "y" * 3000])
    assert len(job.last_error) == LAST_ERROR_LIMIT
    assert job.last_error.startswith("ValueError: yyy")


def test_the_traceback_is_kept(backend: Backend, queue: QueueName) -> None:
    """The innermost part of it, below the error, on every store."""
    job = fail_often(backend, queue, [Recovery()], ["no reason"])
    error, _, trace = job.last_error.partition("\n")
    assert error == "ValueError: no reason"
    assert trace.endswith("raise ValueError(next(left))")


def test_the_traceback_may_be_cut(backend: Backend, queue: QueueName) -> None:
    """From its outer end."""
    job = fail_often(backend, queue, [Recovery(limit=100)], ["no reason"])
    assert len(job.last_error) == 100
    assert job.last_error.endswith("raise ValueError(next(left))")


def test_history_and_tracebacks_go_together(backend: Backend, queue: QueueName) -> None:
    """In either order of the plug-ins."""
    for plugins in ([Recovery(300), ErrorHistory()], [ErrorHistory(), Recovery(300)]):
        job = fail_often(backend, queue, plugins, ["one", "two"])
        newest, first = split_history(job.last_error)
        assert newest.startswith("ValueError: two\n")
        assert newest.endswith("raise ValueError(next(left))")
        assert ": ValueError: one\n" in first
