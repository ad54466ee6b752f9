"""Run an app on memory, with a clock that stands still until the test moves it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from work_core.hookspecs import hookimpl
from work_core.job import QueueName
from work_core.memory import MemoryBackend
from work_core.retry import Decision
from work_core.testing.travel import Travel
from work_core.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from work_core.app import App
    from work_core.retry import Outcome


class InMemory:
    """An app on memory; made by ``in_memory``.

    Attributes:
        app: the app.
        backend: its store.
        travel: its clock: ``travel(60)`` moves it on, ``travel.now`` reads it.
        failures: what handlers raised that will be retried, in order.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.backend = MemoryBackend()
        self.travel = Travel()
        self.failures: list[BaseException] = []

    def drain(self, *, raising: bool = True) -> int:
        """Run what is due, and what that enqueues, until nothing is; return how many jobs ran.

        Jobs that are due later, retries among them, wait for ``travel``.

        Args:
            raising: raise what the first handler raised that failed, when all is run; with False
                failures are only collected, for tests of retries.
        """
        known = len(self.failures)
        ran = Worker(self.app).drain()
        if raising and len(self.failures) > known:
            raise self.failures[known]
        return ran

    def run_for(self, seconds: float, *, raising: bool = True) -> int:
        """Let *seconds* pass and run each job when it is due; return how many jobs ran."""
        end = self.travel.after(seconds)
        ran = self.drain(raising=raising)
        while (due := self._next_due()) is not None and due <= end:
            self.travel.to(due)
            ran += self.drain(raising=raising)
        self.travel.to(end)
        return ran

    def _next_due(self) -> datetime | None:
        queue_ids = {task.queue_id for task in self.app.tasks.values()}
        queues = [QueueName(self.app.namespace, queue_id) for queue_id in queue_ids]
        return min(filter(None, map(self.backend.next_due, queues)), default=None)


@contextmanager
def in_memory(app: App) -> Iterator[InMemory]:
    """Run *app* on an empty ``memory://`` and a clock that stands still, then give it back.

    Tasks, plug-ins and namespace stay as they are; queues that were made before with
    ``app.queue()`` keep their store.
    """
    jobs = InMemory(app)
    watch = _Failures(jobs.failures)
    before = (app._url, app._stores_url, app.clock)  # noqa: SLF001 - the app as it was written
    app.close()
    app._url, app._stores_url = jobs.backend, None  # noqa: SLF001
    app.clock = lambda: jobs.travel.now
    app.plugins.append(watch)
    try:
        yield jobs
    finally:
        app.close()
        app.plugins.remove(watch)
        app._url, app._stores_url, app.clock = before  # noqa: SLF001
        jobs.backend.close()


class _Failures:
    """Collect what handlers raise."""

    def __init__(self, failures: list[BaseException]) -> None:
        self._failures = failures

    @hookimpl
    def work_job_finished(self, outcome: Outcome) -> None:
        """Note a failure that will be retried; other signals are a handler's choice."""
        if outcome.decision is Decision.RETRY and outcome.error is not None:
            self._failures.append(outcome.error)
