"""Ask what is enqueued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from work_core.capabilities import Browser
from work_core.codec import decode_payload, encode_payload
from work_core.errors import InvalidArgument, InvalidPayload
from work_core.plugins import require
from work_core.task import TASK_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from work_core.job import Job
    from work_core.task import Task


class Call(NamedTuple):
    """One enqueued call of a task.

    Attributes:
        arguments: parameter name -> value, as the worker will get them.
        due: when it is due.
        job: the job that carries it.
    """

    arguments: dict[str, Any]
    due: datetime
    job: Job


def enqueued(task: Task[..., Any]) -> list[Call]:
    """Return the calls of *task* that are enqueued and not done, in due order.

    Raises:
        UnsupportedError: when the app's backend is no ``Browser``.
    """
    return list(_calls(task))


def assert_enqueued(
    task: Task[..., Any], /, *, due_within: float | None = None, **arguments: Any
) -> Call:
    """Fail unless a call of *task* with these *arguments* is enqueued, and return the first.

    Arguments that are not named may be anything; matchers such as ``unittest.mock.ANY`` work.

    Args:
        task: the task.
        due_within: in how many seconds at most it is due; 0 for now.
        arguments: what the call is to have; for a parameter named like one above use ``enqueued``.
    """
    __tracebackhide__ = True
    _refuse_unknown(task, arguments)
    calls = enqueued(task)
    for call in calls:
        if _matches(task, call, arguments, due_within):
            return call
    wanted = _wanted(task, arguments, due_within)
    raise AssertionError(f"{wanted} is not enqueued; {_listing(task, calls)}")


def assert_not_enqueued(task: Task[..., Any], /, **arguments: Any) -> None:
    """Fail if a call of *task* with these *arguments* is enqueued, whenever it is due."""
    __tracebackhide__ = True
    _refuse_unknown(task, arguments)
    calls = enqueued(task)
    if any(_matches(task, call, arguments, None) for call in calls):
        wanted = _wanted(task, arguments, None)
        raise AssertionError(f"{wanted} is enqueued; {_listing(task, calls)}")


def _calls(task: Task[..., Any]) -> Iterator[Call]:
    browser: Browser = require(task.app.backend, Browser)
    cursor = None
    while True:
        page = browser.jobs(task.queue_name, after=cursor)
        for job in page.jobs:
            arguments = _arguments(job)
            if arguments.pop(TASK_KEY, task.name) == task.name:
                yield Call(arguments, job.enqueued_at, job)
        cursor = page.cursor
        if cursor is None:
            return


def _arguments(job: Job) -> dict[str, Any]:
    try:
        arguments = decode_payload(job.payload) if job.payload else {}
    except InvalidPayload:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _matches(
    task: Task[..., Any], call: Call, arguments: Mapping[str, Any], due_within: float | None
) -> bool:
    if due_within is not None and _seconds_until(task, call) > due_within:
        return False
    return all(
        name in call.arguments and _as_carried(value) == call.arguments[name]
        for name, value in arguments.items()
    )


def _as_carried(value: Any) -> Any:
    """Return *value* as it comes out of a payload: a tuple as a list, a time in UTC."""
    try:
        return decode_payload(encode_payload({"value": value}))["value"]
    except InvalidArgument:
        return value


def _refuse_unknown(task: Task[..., Any], arguments: Mapping[str, Any]) -> None:
    import inspect

    parameters = inspect.signature(task.function).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    for name in arguments:
        if name not in parameters:
            known = ", ".join(parameters)
            raise TypeError(f"task {task.name!r} has no parameter {name!r}; it has: {known}")


def _wanted(task: Task[..., Any], arguments: Mapping[str, Any], due_within: float | None) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    within = "" if due_within is None else f", due within {due_within:g} s,"
    return f"{task.name}({shown}){within}"


def _listing(task: Task[..., Any], calls: list[Call]) -> str:
    if not calls:
        return f"no call of {task.name} is"
    lines = [f"  {_wanted(task, call.arguments, None)} {_due(task, call)}" for call in calls]
    return "\n".join(["enqueued are:", *lines])


def _due(task: Task[..., Any], call: Call) -> str:
    seconds = _seconds_until(task, call)
    return f"due in {seconds:g} s" if seconds > 0 else "due now"


def _seconds_until(task: Task[..., Any], call: Call) -> float:
    return (call.due - task.app.clock()).total_seconds()
