"""The worker: the lanes of its queues, and the life of the whole."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from work_core.errors import ConfigError, WorkError
from work_core.hooks import hooks_of
from work_core.job import QueueName
from work_core.retry import DEFAULT_BACKOFF
from work_core.task import TaskOptions
from work_core.worker.handler import (
    Dispatcher,
    Registration,
    compile_handler,
    stray_registration,
)
from work_core.worker.threads import ThreadLane
from work_core.worker.timeouts import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from work_core.app import App
    from work_core.backend import Backend
    from work_core.job import Job
    from work_core.middleware import HandleContext
    from work_core.retry import Backoff
    from work_core.worker.loop import LoopLane, LoopThread

    AnyLane = ThreadLane | LoopLane

logger = logging.getLogger("work")

SYNC_CONCURRENCY = 10
ASYNC_CONCURRENCY = 100
GRACE = 25.0
"""Seconds that running jobs get at a stop; Kubernetes kills after 30 by default."""


class Worker:
    """Run the jobs of an app's queues in this process.

    Args:
        app: whose tasks are run, with its backend and plug-ins.
        queues: only these queue ids; all queues of the app's tasks by default.
        concurrency: jobs at once per queue, where the task does not say; 10 threads by default,
        or 100
            at once on the event loop for async tasks.
        grace: seconds that running jobs get to end when the worker stops.
        strict: serve a queue only while those before it, in the order of *queues* or else of the
            tasks, have nothing to do. Without it queues are independent of each other, and their
            shares follow from their concurrency.

    Raises:
        ConfigError: for a queue that no task of the app uses.
    """

    def __init__(
        self,
        app: App,
        *,
        queues: Sequence[str] | None = None,
        concurrency: int | None = None,
        grace: float = GRACE,
        strict: bool = False,
    ) -> None:
        if concurrency is not None and concurrency < 1:
            raise ConfigError(f"concurrency must be 1 or more, not {concurrency}")
        self.app = app
        self.grace = grace
        self._strict = strict
        self.namespace = app.namespace
        self._concurrency = concurrency
        self._registered: dict[str, list[Registration]] = {}
        self._select(queues)
        self._lanes: list[AnyLane] = []
        self._loop: LoopThread | None = None
        self._watchdog = Watchdog()
        self._changed = threading.Event()

    @property
    def backend(self) -> Backend:
        """The store of the jobs."""
        return self.app.backend

    @property
    def stores(self) -> Backend:
        """The store of once-keys and semaphores."""
        return self.app.stores

    @property
    def queues(self) -> list[QueueName]:
        """The queues that this worker serves."""
        return [QueueName(self.namespace, queue_id) for queue_id in self._registered]

    @property
    def plugins(self) -> list[object]:
        """The plug-ins of the app, then those of each task, each object once."""
        found = {id(plugin): plugin for plugin in self.app.plugins}
        for registrations in self._registered.values():
            for registration in registrations:
                found.update((id(plugin), plugin) for plugin in registration.options.plugins)
        return list(found.values())

    @property
    def last_fetch(self) -> dict[QueueName, float]:
        """When each queue was last asked with success, on the monotonic clock."""
        return {lane.queue: lane.last_fetch for lane in self._lanes}

    @property
    def busy(self) -> dict[QueueName, bool]:
        """Whether jobs of each queue run or wait in the buffer."""
        return {lane.queue: lane.busy() for lane in self._lanes}

    @property
    def finished(self) -> int:
        """How many runs have ended since the start."""
        return sum(lane.finished for lane in self._lanes)

    def overdue(self, by: float = 0.0) -> list[Job]:
        """Return the jobs of sync handlers that still run *by* seconds after their timeout."""
        return self._watchdog.overdue(by)

    def register(
        self,
        queue_id: str,
        handler: Callable[[Job, HandleContext], Any],
        *,
        plugins: Sequence[object] = (),
        concurrency: int | None = None,
        lease: float = 60.0,
        timeout: float | None = None,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        """Run *handler* for the jobs of *queue_id*, whatever their payload holds.

        The options are those of ``App.task``.

        Raises:
            ConfigError: when the queue has a handler already, or the worker runs.
        """
        if self._lanes:
            raise ConfigError("register handlers before the worker starts")
        if queue_id in self._registered:
            raise ConfigError(f"queue {queue_id!r} has a handler already")
        options = TaskOptions(tuple(plugins), concurrency, lease, timeout, backoff)
        self._registered[queue_id] = [Registration.of_function(queue_id, handler, options)]

    # -- running ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start fetching and running, and return.

        Raises:
            WorkError: what a plug-in refuses at start, before any job is taken.
        """
        self._prepare()
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        """Stop fetching, give the rest back, let running jobs have their grace, and settle."""
        for lane in self._lanes:
            lane.stop()
        deadline = time.monotonic() + self.grace
        left = [lane for lane in self._lanes if not self._join(lane, deadline)]
        for lane in left:
            logger.warning(
                "jobs of queue %s outlived the grace period of %g s and are given back",
                lane.queue,
                self.grace,
            )
            lane.abandon()
            lane.join(0.5)
        self._finish()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then stop; a second signal exits at once.

        Call it in the main thread.

        Raises:
            WorkError: when a lane had to give up.
        """
        stop = threading.Event()

        def on_signal(number: int, _frame: object) -> None:
            if stop.is_set():
                raise SystemExit(128 + number)
            stop.set()
            self._changed.set()

        previous = {
            each: signal.signal(each, on_signal) for each in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            self.start()
            while not stop.is_set() and not self._failures():
                self._changed.wait(1.0)
                self._changed.clear()
            self.stop()
        finally:
            for each, handler in previous.items():
                signal.signal(each, handler)
        self._raise_failures()

    def drain(self) -> int:
        """Run until nothing is due any more and return how many jobs were run.

        Jobs that become due only later, retries among them, are left.
        """
        self._prepare()
        for lane in self._lanes:
            lane.wait = 0.0
            lane.start()
        while not self._drained() and not self._failures():
            self._changed.wait(0.1)
            self._changed.clear()
        ran = self.finished
        self._raise_failures(stop=True)
        self.stop()
        return ran

    def run_once(self) -> bool:
        """Run one due job of any of the queues in this thread, and tell whether there was one."""
        self._prepare()
        try:
            return any(lane.run_one() for lane in self._lanes)
        finally:
            self._finish()

    # -- the parts --------------------------------------------------------------------------------

    def _select(self, queues: Sequence[str] | None) -> None:
        for task in self.app.tasks.values():
            if queues is None or task.queue_id in queues:
                of_queue = self._registered.setdefault(task.queue_id, [])
                of_queue.append(Registration.of_task(task))
        if queues is not None:
            # The order of *queues* is the order of a strict worker.
            self._registered = {
                each: self._registered[each] for each in queues if each in self._registered
            }
        unknown = set(queues or ()) - set(self._registered)
        if unknown:
            known = ", ".join(sorted({task.queue_id for task in self.app.tasks.values()}))
            raise ConfigError(f"no task uses queue {min(unknown)!r}; known: {known}")

    def _prepare(self) -> None:
        if self._lanes:
            raise ConfigError("this worker runs already")
        if not self._registered:
            raise ConfigError("nothing to run: the app has no tasks; decorate one with @app.task")
        hooks_of(self.plugins).work_worker_started(worker=self)
        self._lanes = [self._lane(*item) for item in self._registered.items()]
        for place, lane in enumerate(self._lanes):
            lane.on_empty = self._changed.set
            if self._strict:
                lane.superiors = self._lanes[:place]

    def _lane(self, queue_id: str, registrations: list[Registration]) -> AnyLane:
        as_coroutine = any(registration.is_async for registration in registrations)
        *handlers, stray = [
            compile_handler(
                each, self.app.plugins, as_coroutine=as_coroutine, watchdog=self._watchdog
            )
            for each in (*registrations, stray_registration(queue_id, registrations))
        ]
        own = {id(plugin): plugin for each in registrations for plugin in each.options.plugins}
        options: dict[str, Any] = {
            "backend": self.backend,
            "stores": self.stores,
            "lease": min(each.options.lease for each in registrations),
            "concurrency": self._width(registrations, as_coroutine=as_coroutine),
            "clock": self.app.clock,
        }
        where = (QueueName(self.namespace, queue_id), Dispatcher(queue_id, handlers, stray))
        hooks = hooks_of([*self.app.plugins, *own.values()])
        if not as_coroutine:
            return ThreadLane(*where, hooks, **options)
        from work_core.worker.loop import LoopLane, LoopThread

        self._loop = self._loop or LoopThread()
        return LoopLane(*where, hooks, loop=self._loop, **options)

    def _width(self, registrations: list[Registration], *, as_coroutine: bool) -> int:
        said = [each.options.concurrency for each in registrations if each.options.concurrency]
        default = ASYNC_CONCURRENCY if as_coroutine else SYNC_CONCURRENCY
        return max(said) if said else self._concurrency or default

    def _join(self, lane: AnyLane, deadline: float) -> bool:
        # A fetch that was about to wait misses a wake-up; so wake until it has noticed.
        while True:
            self.backend.wake()
            left = deadline - time.monotonic()
            if lane.join(max(0.0, min(0.05, left))):
                return True
            if left <= 0:
                return False

    def _finish(self) -> None:
        for lane in self._lanes:
            lane.settle()
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        self._watchdog.stop()
        self._watchdog = Watchdog()
        self._lanes = []
        hooks_of(self.plugins).work_worker_stopped(worker=self)

    def _drained(self) -> bool:
        last = max(lane.last_change for lane in self._lanes)
        return all(not lane.busy() and lane.empty_since > last for lane in self._lanes)

    def _failures(self) -> list[Exception]:
        return [lane.failure for lane in self._lanes if lane.failure is not None]

    def _raise_failures(self, *, stop: bool = False) -> None:
        failures = self._failures()
        if failures:
            if stop:
                self.stop()
            raise WorkError(f"the worker had to stop: {failures[0]}") from failures[0]
