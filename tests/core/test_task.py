"""A task is a function whose calls can be enqueued."""

from __future__ import annotations

import asyncio
import functools
import inspect
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest

from work_core.app import App
from work_core.codec import decode_payload, encode_payload
from work_core.errors import ConfigError, InvalidArgument, InvalidPayload, UnsupportedError
from work_core.job import Job, QueueName
from work_core.task import TASK_KEY, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.queue import Enqueued

NOW = datetime(2023, 11, 14, tzinfo=UTC)


@pytest.fixture
def app() -> Iterator[App]:
    """An app on an empty store, whose clock stands still."""
    with App("memory://", namespace="test", plugins=[], clock=lambda: NOW) as app:
        yield app


def arguments_of(done: Enqueued) -> Any:
    """Return the payload of what was enqueued."""
    assert done.job is not None
    return decode_payload(done.job.payload)


def round_trip(task: Task[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Enqueue a call, and run what was stored as a worker would."""
    job = task.enqueue(*args, **kwargs).job
    assert job is not None
    return task.run(job)


def add(a: int, b: int = 2, *, c: int = 3) -> tuple[int, int, int]:
    """Return the arguments."""
    return a, b, c


# -- making a task --------------------------------------------------------------------------------


def test_a_task_is_still_the_function(app: App) -> None:
    """A plain call runs the function here; name, docstring and signature stay."""
    task = app.task(add)
    assert task(1, c=5) == (1, 2, 5)
    assert (task.__name__, task.__doc__) == ("add", "Return the arguments.")
    assert inspect.signature(task) == inspect.signature(add)
    assert task.function is add


def test_a_task_has_a_queue_of_its_name(app: App) -> None:
    """One queue per kind of job, unless told otherwise."""
    assert app.task(add).queue_name == QueueName("test", "add")
    assert app.task(name="other")(add).queue_name == QueueName("test", "other")
    assert app.task(name="third", queue="shared")(add).queue_name == QueueName("test", "shared")
    assert list(app.tasks) == ["add", "other", "third"]


def test_an_async_task_is_known_as_one(app: App) -> None:
    """The worker must know what to await."""

    @app.task
    async def send(to: str) -> str:
        return to

    assert send.is_async
    assert asyncio.run(send("x")) == "x"
    assert not app.task(add).is_async


def test_a_name_is_given_once(app: App) -> None:
    """Two tasks of one name would take each other's jobs."""
    app.task(add)
    with pytest.raises(ConfigError, match="task 'add' is defined twice; give one of them name="):
        app.task(add)


@pytest.mark.parametrize("function", [lambda: None, functools.partial(add, 1)])
def test_a_function_without_a_name_needs_one(app: App, function: Callable[[], object]) -> None:
    """A lambda or a partial is told apart from others by a name that must be given."""
    with pytest.raises(ConfigError, match="has no name; give the task name="):
        app.task(function)
    assert app.task(name="named")(function).name == "named"


def test_a_generator_is_no_task(app: App) -> None:
    """A function that yields would do nothing when called, and lose every job."""

    def numbers() -> Iterator[int]:
        yield 1

    async def more() -> Any:
        yield 1

    for function in (numbers, more):
        with pytest.raises(ConfigError, match="is a generator"):
            app.task(function)


class Mailer:
    """A class with functions in it."""

    def send(self, to: str) -> str:
        """Say whom it goes to."""
        return f"{type(self).__name__} to {to}"

    @staticmethod
    def send_plainly(to: str) -> str:
        """Say whom it goes to."""
        return f"plainly to {to}"


def test_a_method_is_no_task(app: App) -> None:
    """A job has no object to call a method on, so that is said when the task is made."""
    with pytest.raises(ConfigError, match="task 'send' is a method of Mailer"):
        app.task(Mailer.send)


def test_a_bound_or_static_method_is_a_task(app: App) -> None:
    """What has all it needs can run."""
    assert round_trip(app.task(Mailer().send), "x") == "Mailer to x"
    assert round_trip(app.task(Mailer.send_plainly), to="y") == "plainly to y"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"concurrency": 0}, "concurrency must be 1 or more, not 0"),
        ({"lease": 0}, "lease must be more than 0 seconds, not 0"),
        ({"lease": inf}, "lease must be .* not inf"),
        ({"timeout": -1}, "timeout must be more than 0 seconds, not -1"),
        ({"timeout": nan}, "timeout must be .* not nan"),
        ({"name": ""}, "a task needs a name and a queue, not ''"),
        ({"queue": ""}, "a task needs a name and a queue, not 'add' and ''"),
        ({"plugins": [object()]}, "object is no plug-in"),
    ],
)
def test_an_option_out_of_range_is_refused(app: App, options: dict[str, Any], reason: str) -> None:
    """A task with options that cannot work is refused when it is made."""
    with pytest.raises(ConfigError, match=reason):
        app.task(**options)(add)


# -- arguments ------------------------------------------------------------------------------------


def nothing() -> tuple[()]:
    """Take nothing."""
    return ()


def positional(a: int, b: int = 2, /, c: int = 3) -> tuple[int, int, int]:
    """Take two arguments by position only."""
    return a, b, c


def variadic(a: int, *rest: int, b: int = 2, **named: int) -> tuple[object, ...]:
    """Take as many arguments as there are."""
    return a, rest, b, named


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "payload"),
    [
        (nothing, (), {}, {}),
        (add, (1,), {}, {"a": 1}),
        (add, (1, 5), {"c": 6}, {"a": 1, "b": 5, "c": 6}),
        (add, (), {"c": 6, "a": 1}, {"c": 6, "a": 1}),
        (positional, (1,), {}, {"a": 1}),
        (positional, (1, 5), {"c": 6}, {"a": 1, "b": 5, "c": 6}),
        (variadic, (1,), {}, {"a": 1}),
        (
            variadic,
            (1, 7, 8),
            {"b": 5, "x": 6},
            {"a": 1, "rest": [7, 8], "b": 5, "named": {"x": 6}},
        ),
    ],
)
def test_a_call_travels_by_parameter_name(
    app: App,
    function: Callable[..., object],
    args: tuple[int, ...],
    kwargs: dict[str, int],
    payload: dict[str, object],
) -> None:
    """The payload is a map from parameter to value, and runs as the call would have run.

    Defaults stay with the function: what was not given is filled in by the worker's code.
    """
    task = app.task(function)
    assert arguments_of(task.enqueue(*args, **kwargs)) == payload
    assert round_trip(task, *args, **kwargs) == function(*args, **kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((), {}, r"add\(\): missing a required argument: 'a'"),
        ((1, 2, 3), {}, r"add\(\): too many positional arguments"),
        ((1,), {"a": 1}, r"add\(\): multiple values for argument 'a'"),
        ((1,), {"d": 1}, r"add\(\): got an unexpected keyword argument 'd'"),
        ((), {"b": 1}, r"add\(\): missing a required argument: 'a'"),
    ],
)
def test_a_call_that_cannot_run_is_not_enqueued(
    app: App, args: tuple[int, ...], kwargs: dict[str, int], reason: str
) -> None:
    """A wrong call fails where it is written, with a call's own error, and stores nothing."""
    task: Task[..., Any] = app.task(add)
    with pytest.raises(TypeError, match=reason):
        task.enqueue(*args, **kwargs)
    with pytest.raises(TypeError, match=reason):
        task.options(delay=1).enqueue(*args, **kwargs)
    assert app.backend.dequeue(task.queue_name, 1, at=NOW, lease=1) == []


def test_an_argument_that_cannot_travel_is_named(app: App) -> None:
    """What msgpack cannot carry is refused at enqueue, by parameter; it is a TypeError too."""

    @app.task
    def send(to: object, body: object) -> None:
        """Do nothing."""

    with pytest.raises(InvalidArgument, match="argument 'body' of type set cannot be sent"):
        send.enqueue("x", {1, 2})
    with pytest.raises(TypeError, match="argument 'to' of type Mailer"):
        send.enqueue(Mailer(), "y")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (encode_payload({}), "the payload for task 'add' misses a$"),
        (encode_payload({"a": 1, "z": 2}), "the payload for task 'add' has unknown z$"),
        (encode_payload({"z": 2}), "misses a and has unknown z$"),
        (b"\x93\x01\x02\x03", "task 'add' expects a map of arguments, found list"),
        (b"\xc1", "is not msgpack at byte 0"),
        (b"", "misses a"),
        (b"\x81\x01\x02", "misses a and has unknown 1"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused(app: App, payload: bytes, reason: str) -> None:
    """A job of another program or another version names what does not fit, and runs nothing."""
    task = app.task(add)
    with pytest.raises(InvalidPayload, match=reason):
        task.run(Job(payload))
    with pytest.raises(InvalidPayload, match=reason):
        task.arguments(Job(payload))


def test_a_job_without_payload_is_a_call_without_arguments(app: App) -> None:
    """Go's NewJob has no payload."""
    assert app.task(nothing).run(Job()) == ()


# -- shared queues --------------------------------------------------------------------------------


def test_tasks_of_a_shared_queue_are_told_apart(app: App) -> None:
    """In a shared queue a job carries the name of its task, which the function never sees."""
    one = app.task(name="one", queue="shared")(add)
    two = app.task(name="two", queue="shared")(add)
    done = one.enqueue(1)
    assert arguments_of(done) == {"a": 1, TASK_KEY: "one"}
    assert done.job is not None
    assert one.run(done.job) == (1, 2, 3)
    with pytest.raises(InvalidPayload, match="the payload is for task 'one', not for 'two'"):
        two.run(done.job)


def test_the_tasks_key_is_no_parameter(app: App) -> None:
    """A parameter of that name would be overwritten in a shared queue."""

    def clash(_task: str) -> str:
        return _task

    assert round_trip(app.task(clash), "mine") == "mine"
    with pytest.raises(ConfigError, match="no parameter of a shared queue may be '_task'"):
        app.task(name="other", queue="shared")(clash)


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({}, NOW),
        ({"delay": 90}, NOW + timedelta(seconds=90)),
        ({"delay": 0.5}, NOW + timedelta(seconds=0.5)),
        ({"delay": 0}, NOW),
        ({"delay": -5}, NOW - timedelta(seconds=5)),
        ({"delay": timedelta(hours=1)}, NOW + timedelta(hours=1)),
        ({"at": NOW + timedelta(days=1)}, NOW + timedelta(days=1)),
        ({"at": NOW.astimezone(timezone(timedelta(hours=5)))}, NOW),
    ],
)
def test_a_call_may_be_due_later(app: App, options: dict[str, Any], due: datetime) -> None:
    """A call is made now and due after its delay, or at its time."""
    job = app.task(add).options(**options).enqueue(1).job
    assert job is not None
    assert (job.created_at, job.enqueued_at) == (NOW, due)
    assert job.enqueued_at.tzinfo is UTC


def test_a_call_may_have_an_id(app: App) -> None:
    """A job with the id of one that waits replaces it."""
    task = app.task(add)
    assert task.options(id="mine").enqueue(1).id == "mine"
    task.options(id="mine").enqueue(2)
    (job,) = app.backend.dequeue(task.queue_name, 10, at=NOW, lease=1)
    assert task.arguments(job) == {"a": 2}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"delay": 1, "at": NOW}, "give delay or at, not both"),
        ({"at": datetime(2023, 1, 1)}, "at=2023-01-01T00:00:00 is naive"),  # noqa: DTZ001
        ({"delay": nan}, "delay must be seconds or a timedelta, not nan"),
        ({"delay": inf}, "delay must be seconds or a timedelta, not inf"),
        ({"delay": "5"}, "delay must be seconds or a timedelta, not '5'"),
        ({"id": ""}, "id must not be empty"),
    ],
)
def test_a_wrong_option_is_refused(app: App, options: dict[str, Any], reason: str) -> None:
    """An option that makes no sense is refused, with its value."""
    with pytest.raises(ConfigError, match=reason):
        app.task(add).options(**options)


def test_a_delay_beyond_all_years_is_refused(app: App) -> None:
    """There is no year 10000."""
    with pytest.raises(ConfigError, match="ends after the year 9999"):
        app.task(add).options(delay=1e12).enqueue(1)


def test_a_connection_is_never_ignored(app: App) -> None:
    """A store without transactions refuses the caller's, in every way to enqueue."""
    task = app.task(add)
    with pytest.raises(UnsupportedError):
        task.options(connection=object()).enqueue(1)
    with pytest.raises(UnsupportedError):
        task.enqueue_many([(1,)], connection=object())


def test_options_are_used_as_often_as_one_likes(app: App) -> None:
    """Options stay, and every call gets an id of its own."""
    later = app.task(add).options(delay=5)
    assert later.enqueue(1).id != later.enqueue(1).id


# -- many, and from a loop ------------------------------------------------------------------------


def test_many_calls_are_enqueued_at_once(app: App) -> None:
    """A call is a tuple of positional or a dict of keyword arguments; results keep the order."""
    done = app.task(add).enqueue_many([(1,), {"a": 2, "c": 5}, [3, 4]])
    assert [arguments_of(each) for each in done] == [{"a": 1}, {"a": 2, "c": 5}, {"a": 3, "b": 4}]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("ab", r"add\(\): expected a tuple of positional or a dict .* found 'ab'"),
        (7, r"add\(\): expected a tuple of positional or a dict .* found 7"),
        ((), r"add\(\): missing a required argument: 'a'"),
        ((object(),), "argument 'a' of type object cannot be sent"),
    ],
)
def test_a_wrong_call_among_many_is_found(app: App, call: Any, reason: str) -> None:
    """The error tells which call it is, and none of them is stored."""
    task = app.task(add)
    with pytest.raises(TypeError, match=reason) as caught:
        task.enqueue_many([(1,), (2,), call])
    assert caught.value.__notes__ == ["in call 2 of enqueue_many"]
    assert app.backend.dequeue(task.queue_name, 1, at=NOW, lease=1) == []


def test_enqueuing_from_a_loop_is_the_same(app: App) -> None:
    """An async program enqueues without blocking its loop."""
    task = app.task(add)

    async def enqueue() -> list[Enqueued]:
        return [await task.aenqueue(1), await task.options(delay=5, id="later").aenqueue(2)]

    first, later = asyncio.run(enqueue())
    assert arguments_of(first) == {"a": 1}
    assert later.id == "later"
    assert later.job is not None
    assert later.job.enqueued_at == NOW + timedelta(seconds=5)


def test_a_task_shows_what_it_is(app: App) -> None:
    """A task in a log or a debugger tells its name and queue."""
    assert repr(app.task(name="one", queue="shared")(add)) == "<Task 'one' of queue 'shared'>"
