"""A task: a typed function whose calls can be enqueued."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from work_core.codec import decode_payload, encode_payload
from work_core.errors import ConfigError, InvalidPayload
from work_core.job import Job, QueueName, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from work_core.app import App
    from work_core.queue import Enqueued, Queue
    from work_core.retry import Backoff

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST = 10 * 366 * 86400.0

TASK_KEY = "_task"
"""The payload key that tells the tasks of a shared queue apart."""

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How the jobs of a task are run.

    Attributes:
        plugins: middleware of this task, inside that of the app.
        concurrency: how many jobs of the queue run at once in a process; ``None`` for the worker's.
        lease: for how many seconds a job is leased. A job that runs longer, in a worker without the
            heartbeat middleware, is run a second time.
        timeout: after how many seconds a run is ended; ``None`` for never.
        backoff: how long to wait after a failure.
    """

    plugins: tuple[object, ...]
    concurrency: int | None
    lease: float
    timeout: float | None
    backoff: Backoff

    def __post_init__(self) -> None:
        if self.concurrency is not None and self.concurrency < 1:
            raise ConfigError(f"concurrency must be 1 or more, not {self.concurrency}")
        if not 0 < self.lease <= _LONGEST:
            raise ConfigError(f"lease must be more than 0 seconds, not {self.lease}")
        if self.timeout is not None and not 0 < self.timeout <= _LONGEST:
            raise ConfigError(f"timeout must be more than 0 seconds, not {self.timeout}")


class Task(Generic[P, R]):
    """A function bound to a queue: call it to run it here, enqueue it to run it in a worker.

    Attributes:
        name: unique within the app.
        queue_id: the queue of its jobs; the name, unless the task shares a queue.
        function: the plain function.
        running: how its jobs are run.
        is_async: whether the function must be awaited.
    """

    __name__: str

    def __init__(
        self, app: App, function: Callable[P, R], name: str, queue_id: str, running: TaskOptions
    ) -> None:
        if not name or not queue_id:
            raise ConfigError(f"a task needs a name and a queue, not {name!r} and {queue_id!r}")
        _refuse_unfit(function, name)
        functools.update_wrapper(self, function)
        self.app = app
        self.function = function
        self.name = name
        self.queue_id = queue_id
        self.running = running
        self.is_async = inspect.iscoroutinefunction(function)
        self._parameters = _Parameters(function, name)
        self._shared = queue_id != name
        if self._shared and TASK_KEY in self._parameters.known:
            raise ConfigError(f"task {name!r}: no parameter of a shared queue may be {TASK_KEY!r}")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here and now, as if it were no task."""
        return self.function(*args, **kwargs)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue a call with these arguments; it is stored when this returns.

        Raises:
            TypeError: for arguments that the function does not take.
            InvalidArgument: for an argument that msgpack cannot carry, by name.
            BackendError: when the job is not stored.
        """
        return self.queue.enqueue(self._job(args, kwargs, self.app.clock()))

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue as ``enqueue`` does, without blocking the event loop."""
        import asyncio

        job = self._job(args, kwargs, self.app.clock())
        return await asyncio.to_thread(self.queue.enqueue, job)

    def enqueue_many(
        self,
        calls: Iterable[Sequence[Any] | Mapping[str, Any]],
        *,
        connection: object | None = None,
    ) -> list[Enqueued]:
        """Enqueue many calls in as few round trips as the store allows.

        Args:
            calls: for each job a tuple of positional or a dict of keyword arguments.
            connection: a database transaction of the caller.

        Raises:
            TypeError, InvalidArgument: as ``enqueue``, with the number of the call, counted from 0,
                in a note; nothing is stored then.
        """
        now = self.app.clock()
        jobs = [self._job_of_call(number, call, now) for number, call in enumerate(calls)]
        return self.queue.enqueue_many(jobs, connection=connection)

    def options(
        self,
        *,
        delay: float | timedelta | None = None,
        at: datetime | None = None,
        id: str | None = None,  # noqa: A002 - the field's name
        connection: object | None = None,
    ) -> TaskCall[P]:
        """Return a way to enqueue that has *delay* or *at*, *id*, or the caller's *connection* set.

        Args:
            delay: seconds, or a timedelta, until the job is due.
            at: when the job is due (an aware datetime).
            id: the job's id; a job with this id that waits in the queue is replaced.
            connection: a database transaction; the job exists if and only if it commits.
        """
        if delay is not None and at is not None:
            raise ConfigError("give delay or at, not both")
        if at is not None and at.tzinfo is None:
            raise ConfigError(f"at={at.isoformat()} is naive; pass an aware datetime")
        if id is not None and not id:
            raise ConfigError("id must not be empty; leave it out to get one")
        wait = None if delay is None else _timedelta(delay)
        return TaskCall(self, wait, at.astimezone(UTC) if at else None, id, connection)

    @functools.cached_property
    def queue(self) -> Queue:
        """The queue that this task enqueues into, with the app's and its own middleware."""
        return self.app.queue(self.queue_id, plugins=self.running.plugins)

    @property
    def queue_name(self) -> QueueName:
        """Namespace and queue id."""
        return QueueName(self.app.namespace, self.queue_id)

    @property
    def plugins(self) -> tuple[object, ...]:
        """Its own middleware, which sits inside the app's."""
        return self.running.plugins

    def run(self, job: Job) -> Any:
        """Call the function with the arguments in the payload of *job*.

        Returns what the function returns: a coroutine for an async task.

        Raises:
            InvalidPayload: when the payload does not fit the parameters.
        """
        return self._parameters.call(self._arguments(job))

    def arguments(self, job: Job) -> dict[str, Any]:
        """Return the arguments in the payload of *job*, checked against the parameters."""
        arguments = self._arguments(job)
        self._parameters.check(arguments)
        return arguments

    def _arguments(self, job: Job) -> dict[str, Any]:
        arguments = decode_payload(job.payload) if job.payload else {}
        if type(arguments) is not dict:
            raise InvalidPayload(
                f"task {self.name!r} expects a map of arguments, found {type(arguments).__name__}"
            )
        if self._shared and (named := arguments.pop(TASK_KEY, self.name)) != self.name:
            raise InvalidPayload(f"the payload is for task {named!r}, not for {self.name!r}")
        return arguments

    def _job_of_call(self, number: int, call: object, now: datetime) -> Job:
        try:
            if isinstance(call, Mapping):
                return self._job((), call, now)
            return self._job(_positional(self.name, call), {}, now)
        except TypeError as error:
            error.add_note(f"in call {number} of enqueue_many")
            raise

    def _job(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        now: datetime,
        due: datetime | None = None,
        id: str | None = None,  # noqa: A002
    ) -> Job:
        arguments = self._parameters.bind(args, kwargs)
        if self._shared:
            arguments[TASK_KEY] = self.name
        return Job(encode_payload(arguments), id or new_id(), now, now, due or now)

    def __repr__(self) -> str:
        return f"<Task {self.name!r} of queue {self.queue_id!r}>"


def task_name_of(function: Callable[..., Any]) -> str:
    """Return the name that a task of *function* gets.

    Raises:
        ConfigError: for a function without a name of its own.
    """
    name = getattr(function, "__name__", "<lambda>")
    if name == "<lambda>":
        raise ConfigError(f"{function!r} has no name; give the task name='...'")
    return str(name)


def _refuse_unfit(function: Callable[..., Any], name: str) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"task {name!r} is a generator, which a call would not run; do not yield")
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    first = next(iter(inspect.signature(function).parameters), None)
    if first == "self" and owner and not owner.endswith("<locals>"):
        raise ConfigError(
            f"task {name!r} is a method of {owner}, and a job has no {owner}; "
            "use a function, or a staticmethod"
        )


def _positional(task: str, call: object) -> Sequence[Any]:
    if isinstance(call, (tuple, list)):
        return call
    raise TypeError(
        f"{task}(): expected a tuple of positional or a dict of keyword arguments, found {call!r}"
    )


def _timedelta(delay: float | timedelta) -> timedelta:
    if isinstance(delay, timedelta):
        return delay
    try:
        return timedelta(seconds=delay)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"delay must be seconds or a timedelta, not {delay!r}") from None


class TaskCall(Generic[P]):
    """A task with options set; enqueue it as often as you like."""

    __slots__ = ("_at", "_connection", "_delay", "_id", "_task")

    def __init__(
        self,
        task: Task[P, Any],
        delay: timedelta | None,
        at: datetime | None,
        id: str | None,  # noqa: A002
        connection: object | None,
    ) -> None:
        self._task = task
        self._delay = delay
        self._at = at
        self._id = id
        self._connection = connection

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue a call with these arguments, as ``Task.enqueue`` does."""
        return self._task.queue.enqueue(self._job(args, kwargs), connection=self._connection)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue as ``enqueue`` does, without blocking the event loop.

        On an async SQLAlchemy session the statement runs through the session itself.
        """
        import asyncio

        job = self._job(args, kwargs)
        run_sync = getattr(self._connection, "run_sync", None)
        if run_sync is not None:
            enqueue = self._task.queue.enqueue
            done: Enqueued = await run_sync(lambda sync: enqueue(job, connection=sync))
            return done
        return await asyncio.to_thread(self._task.queue.enqueue, job, connection=self._connection)

    def _job(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Job:
        now = self._task.app.clock()
        try:
            due = now + self._delay if self._delay is not None else self._at
        except OverflowError:
            raise ConfigError(f"a delay of {self._delay} ends after the year 9999") from None
        return self._task._job(args, kwargs, now, due, self._id)  # noqa: SLF001 - one class in two


class _Parameters:
    """The parameters of a task, prepared for binding and calling without ``inspect``."""

    def __init__(self, function: Callable[..., Any], task: str) -> None:
        self._function = function
        self._task = task
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        self.known = frozenset(parameter.name for parameter in parameters)
        self._positional = tuple(
            parameter.name for parameter in parameters if parameter.kind is _NAMED[0]
        )
        self._required = frozenset(
            parameter.name
            for parameter in parameters
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        )
        self._simple = all(parameter.kind in _NAMED for parameter in parameters)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameter name -> value, or raise the TypeError that a call would raise."""
        if self._simple and len(args) <= len(self._positional):
            arguments = dict(zip(self._positional, args, strict=False))
            arguments.update(kwargs)
            complete = len(arguments) == len(args) + len(kwargs)
            if complete and self._required <= arguments.keys() <= self.known:
                return arguments
        try:
            return dict(self._signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(f"{self._task}(): {error}") from None

    def call(self, arguments: dict[str, Any]) -> Any:
        """Call the function with *arguments*, refusing those that do not fit."""
        self.check(arguments)
        if self._simple:
            return self._function(**arguments)
        bound = inspect.BoundArguments(self._signature, arguments)
        return self._function(*bound.args, **bound.kwargs)

    def check(self, arguments: dict[str, Any]) -> None:
        """Raise InvalidPayload unless the function can be called with *arguments*."""
        if self._required <= arguments.keys() <= self.known:
            return
        missing = sorted(self._required - arguments.keys())
        unknown = sorted(str(name) for name in arguments.keys() - self.known)
        what = [f"misses {', '.join(missing)}"] * bool(missing)
        what += [f"has unknown {', '.join(unknown)}"] * bool(unknown)
        raise InvalidPayload(f"the payload for task {self._task!r} {' and '.join(what)}")
