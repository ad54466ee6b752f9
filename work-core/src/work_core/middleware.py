"""Middleware: what a wrapper sees, and the fold that compiles wrappers into one callable.

Pluggy decides which wrappers run and in which order. Calling them through pluggy costs 2 to 5 us
per job and cannot await a handler, so the wrappers of a hook are read once and folded into nested
functions that behave as pluggy's own call does: same results, same order, same exceptions. One
thing is better here: when a wrapper yields twice, those outside of it still get to clean up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from work_core.hooks import describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from datetime import datetime

    from pluggy import HookCaller, HookImpl

    from work_core.backend import Backend
    from work_core.job import Job, QueueName

    Wrapper = Generator[None, Any, Any]
    Make = Callable[..., Wrapper]


@dataclass(slots=True, eq=False)
class EnqueueBatch:
    """What ``work_enqueue`` wraps: jobs on their way into one queue.

    Attributes:
        queue: where they go.
        jobs: what will be stored; a wrapper may change or drop jobs before it yields.
        backend: the store.
        stores: where once-keys and semaphores live; the backend itself unless configured otherwise.
        connection: the caller's database transaction, where the store supports one.
        duplicates: id of a dropped job -> id of the earlier job that stands for it.
    """

    queue: QueueName
    jobs: list[Job]
    backend: Backend
    stores: Backend
    connection: object | None = None
    duplicates: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class DequeueRequest:
    """What ``work_dequeue`` wraps: one fetch for one queue.

    Attributes:
        queue: where the jobs come from.
        limit: how many at most; a wrapper may lower it, and 0 skips the round.
        lease: for how many seconds the jobs are leased.
        wait: for how many seconds the store may wait for the first job.
        backend: the store.
        stores: where once-keys and semaphores live.
        idle: True when the fetch before this one found nothing.
    """

    queue: QueueName
    limit: int
    lease: float
    wait: float
    backend: Backend
    stores: Backend
    idle: bool = False


@dataclass(slots=True, eq=False)
class HandleContext:
    """What ``work_handle`` and the handler may know about a run.

    Attributes:
        queue: where the job came from.
        task: the name of the task, or of the queue where a bare handler is registered.
        backend: the store.
        stores: where once-keys and semaphores live.
        lease: for how many seconds the job was leased, and an extension should lease it again.
        deadline: when the handler times out (aware UTC); ``None`` without a timeout.
        attempt: 1 on the first run, counting failures and vanished holders.
        lease_lost: True once somebody else may run the job: stop, since nothing you do is acked.
        reported: set to True by a plug-in that has logged the failure, so that the worker does not.
    """

    queue: QueueName
    task: str
    backend: Backend
    stores: Backend
    lease: float
    deadline: datetime | None
    attempt: int
    lease_lost: bool = False
    reported: bool = False


def fold(hook: HookCaller, inner: Callable[..., Any]) -> Callable[..., Any]:
    """Return *inner* wrapped by the wrappers of *hook*, in pluggy's order.

    The result takes the hook's arguments, one or two, by position and in the order of its
    specification. With no wrappers it is *inner* itself.
    """
    return _fold(hook, inner, _layer)


def fold_async(
    hook: HookCaller, inner: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    """Return the coroutine function *inner* wrapped as ``fold`` does, awaited at the ``yield``."""
    return _fold(hook, inner, _async_layer)


def _fold(
    hook: HookCaller, inner: Callable[..., Any], layer: Callable[..., Callable[..., Any]]
) -> Callable[..., Any]:
    wrappers = hook.get_hookimpls()
    if not wrappers:
        return inner
    names = tuple(hook.spec.argnames) if hook.spec else ()
    # Layers take two arguments, as work_handle has: the hooks with one run per batch, not per job.
    alone = len(names) == 1
    call: Callable[..., Any] = (lambda first, _: inner(first)) if alone else inner
    for wrapper in wrappers:
        call = layer(_two_arguments(wrapper, names), wrapper, call)
    return (lambda first: call(first, None)) if alone else call


def _layer(make: Make, wrapper: HookImpl, inner: Callable[..., Any]) -> Callable[..., Any]:
    def call(first: Any, second: Any) -> Any:
        generator = make(first, second)
        try:
            generator.send(None)
        except StopIteration:
            _refuse(generator, wrapper, "did not yield")
        try:
            result = inner(first, second)
        except BaseException as error:  # noqa: BLE001 - the wrapper decides what becomes of it
            return _throw(generator, wrapper, error)
        try:
            generator.send(result)
        except StopIteration as stop:
            return stop.value
        return _refuse_second_yield(generator, wrapper)

    return call


def _async_layer(
    make: Make, wrapper: HookImpl, inner: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    async def call(first: Any, second: Any) -> Any:
        generator = make(first, second)
        try:
            generator.send(None)
        except StopIteration:
            _refuse(generator, wrapper, "did not yield")
        try:
            result = await inner(first, second)
        except BaseException as error:  # noqa: BLE001 - the wrapper decides what becomes of it
            return _throw(generator, wrapper, error)
        try:
            generator.send(result)
        except StopIteration as stop:
            return stop.value
        return _refuse_second_yield(generator, wrapper)

    return call


def _throw(generator: Wrapper, wrapper: HookImpl, error: BaseException) -> Any:
    try:
        try:
            generator.throw(error)
        except StopIteration as stop:
            return stop.value
        except RuntimeError as raised:
            # Python turns a StopIteration that leaves a generator into a RuntimeError: undo that.
            if not (isinstance(error, StopIteration) and raised.__cause__ is error):
                raise
        else:
            _refuse_second_yield(generator, wrapper)
        raise error
    finally:
        del error  # or an error raised through this frame would keep itself and the job alive


def _two_arguments(wrapper: HookImpl, names: tuple[str, ...]) -> Make:
    """Return the wrapper's function as one that takes two arguments by position."""
    function: Make = wrapper.function  # type: ignore[assignment] # checked to be a generator
    wanted = {*wrapper.argnames, *wrapper.kwargnames}
    taken = tuple(name for name in names if name in wanted)
    if not taken:
        return lambda _, __: function()
    if taken == names[:1]:
        return lambda first, _: function(first)
    if taken == names[1:]:
        name = taken[0]
        return lambda _, second: function(**{name: second})
    if taken == wrapper.argnames:
        return function
    return lambda first, second: function(**{names[0]: first, names[1]: second})


def _refuse(generator: Wrapper, wrapper: HookImpl, what: str) -> NoReturn:
    code = generator.gi_code  # type: ignore[attr-defined] # checked to be a generator
    raise RuntimeError(
        f"{describe(wrapper.plugin)}.{code.co_name} {what} "
        f"({code.co_filename}:{code.co_firstlineno}); a wrapper must yield exactly once"
    )


def _refuse_second_yield(generator: Wrapper, wrapper: HookImpl) -> NoReturn:
    generator.close()
    _refuse(generator, wrapper, "yielded a second time")
