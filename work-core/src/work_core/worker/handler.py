"""What a worker runs for a queue: handlers, folded with their middleware once, at start."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from work_core.codec import decode_payload
from work_core.errors import InvalidPayload
from work_core.hooks import hooks_of
from work_core.middleware import HandleContext, fold, fold_async
from work_core.task import TASK_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pluggy import HookCaller

    from work_core.job import Job
    from work_core.retry import Backoff, Outcome
    from work_core.task import Task, TaskOptions
    from work_core.worker.timeouts import Watchdog

    Call = Callable[[Job, HandleContext], Any]


@dataclass(frozen=True, slots=True)
class Registration:
    """A handler as it was registered.

    Attributes:
        name: the task's name, or the queue id of a bare handler.
        call: takes the job and its context; sync, or a coroutine function.
        options: how its jobs are run.
    """

    name: str
    call: Call
    options: TaskOptions
    is_async: bool

    @classmethod
    def of_task(cls, task: Task[Any, Any]) -> Registration:
        """Return the registration of *task*."""
        run = task.run
        return cls(task.name, lambda job, _: run(job), task.running, task.is_async)

    @classmethod
    def of_function(cls, name: str, function: Call, options: TaskOptions) -> Registration:
        """Return the registration of a bare *function* that takes job and context."""
        call = getattr(function, "__call__", function)  # noqa: B004 - an object may be a handler
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
        return cls(name, function, options, is_async)


@dataclass(frozen=True, slots=True)
class Handler:
    """A registration compiled with its middleware.

    Attributes:
        name: the task's name, or the queue id of a bare handler.
        run: what happens to a job; a coroutine function in a lane of the event loop.
        backoff: how long to wait after a failure.
        timeout: seconds, or ``None``.
        finished: tells the plug-ins about an outcome; ``None`` when none of them asks.
    """

    name: str
    run: Call
    backoff: Backoff
    timeout: float | None
    finished: Callable[[Job, Outcome, HandleContext], None] | None

    def deadline(self, now: datetime) -> datetime | None:
        """Return when a run that starts *now* times out."""
        return None if self.timeout is None else now + timedelta(seconds=self.timeout)


def compile_handler(
    registration: Registration,
    plugins: Sequence[object],
    *,
    as_coroutine: bool,
    watchdog: Watchdog,
) -> Handler:
    """Fold *plugins*, and those of the task inside them, around a registered handler."""
    options = registration.options
    hooks = hooks_of([*plugins, *options.plugins])
    run = _compile(registration, hooks.work_handle, as_coroutine, watchdog)
    finished = _finished(hooks.work_job_finished)
    return Handler(registration.name, run, options.backoff, options.timeout, finished)


def _finished(hook: HookCaller) -> Callable[[Job, Outcome, HandleContext], None] | None:
    if not hook.get_hookimpls():
        return None

    def finished(job: Job, outcome: Outcome, context: HandleContext) -> None:
        hook(job=job, outcome=outcome, context=context)

    return finished


def _compile(
    registration: Registration, hook: HookCaller, as_coroutine: bool, watchdog: Watchdog
) -> Call:
    call, timeout = registration.call, registration.options.timeout
    if not as_coroutine:
        return fold(hook, call if timeout is None else watchdog.guarded(call, timeout))
    from work_core.worker import loop

    if not registration.is_async:
        call = loop.in_thread(call if timeout is None else watchdog.guarded(call, timeout))
    elif timeout is not None:
        call = loop.with_timeout(call, timeout)
    return fold_async(hook, call)


class Dispatcher:
    """Find the handler of a job: the only one of its queue, or the one its payload names.

    Args:
        queue_id: the task of this name need not be named by its jobs.
        handlers: one per task.
        stray: runs the jobs that name none of them.
    """

    __slots__ = ("_by_name", "_default", "_only", "_stray")

    def __init__(self, queue_id: str, handlers: Sequence[Handler], stray: Handler) -> None:
        self._default = queue_id
        self._stray = stray
        self._by_name = {handler.name: handler for handler in handlers}
        self._only = handlers[0] if len(handlers) == 1 else None

    def __call__(self, job: Job) -> Handler:
        """Return the handler of *job*."""
        return self._only or self._named(job)

    def _named(self, job: Job) -> Handler:
        try:
            arguments = decode_payload(job.payload) if job.payload else {}
        except InvalidPayload:
            arguments = {}
        # The task that the queue is named after does not say its name.
        name = arguments.get(TASK_KEY, self._default) if type(arguments) is dict else None
        return self._by_name.get(str(name), self._stray)


def stray_registration(queue_id: str, registrations: Sequence[Registration]) -> Registration:
    """Return what runs for a job of a shared queue that names none of its tasks.

    It fails, inside the middleware as any handler, so that the job is retried by a newer worker, or
    discarded once its retries are spent.
    """
    known = ", ".join(each.name for each in registrations)

    def refuse(job: Job, context: HandleContext) -> None:  # noqa: ARG001 - a handler's signature
        raise InvalidPayload(f"the payload names none of this queue's tasks here: {known}")

    options = replace(registrations[0].options, plugins=(), timeout=None)
    return Registration(queue_id, refuse, options, is_async=False)
