"""Folded wrappers behave as pluggy's own call: same results, same order, same exceptions."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_core import hookspecs
from work_core.hooks import hooks_of
from work_core.hookspecs import hookimpl
from work_core.middleware import fold, fold_async

if TYPE_CHECKING:
    from collections.abc import Generator

JOB, CONTEXT = "job", "context"


class BoomError(Exception):
    """What a handler or a wrapper raises here."""


class OtherError(Exception):
    """What a wrapper raises instead."""


class FatalError(BaseException):
    """What is no Exception, as a KeyboardInterrupt is none."""


ERRORS: tuple[type[BaseException], ...] = (BoomError, FatalError, StopIteration, RuntimeError)
"""What handlers and wrappers raise here; the middle two are where generators are peculiar."""


@dataclass
class Recorder:
    """What happened, in order."""

    events: list[str] = field(default_factory=list)

    def note(self, *what: object) -> None:
        """Write down what happens."""
        self.events.append(" ".join(map(str, what)))


Outcome = tuple[str, object, list[str]]
Behaviour = tuple[str, int]


class Behaving:
    """A plug-in whose wrapper behaves in the way of that name."""

    def __init__(self, behaviour: str, number: int, recorder: Recorder) -> None:
        self.behaviour = behaviour
        self.number = number
        self.recorder = recorder
        self.error = ERRORS[number % len(ERRORS)]

    @hookimpl(wrapper=True)
    def work_handle(self, job: object, context: object) -> Generator[None, object, object]:
        """Note what happens, and behave."""
        self.recorder.note(self.number, "before", job, context)
        if self.behaviour == "raises before":
            raise self.error(self.number)
        if self.behaviour == "does not yield":
            return self.number
        try:
            result = yield
        except BaseException as raised:  # noqa: BLE001 - to note whatever comes
            return self.caught(raised)
        finally:
            self.recorder.note(self.number, "finally")
        return self.after(result)

    def caught(self, raised: BaseException) -> object:
        """Do what is to be done about an error from inside."""
        self.recorder.note(self.number, "caught", type(raised).__name__, raised)
        if self.behaviour == "swallows":
            return f"swallowed by {self.number}"
        if self.behaviour == "replaces":
            raise OtherError(self.number) from raised
        raise raised

    def after(self, result: object) -> object:
        """Do what is to be done with a result from inside."""
        self.recorder.note(self.number, "after", result)
        if self.behaviour == "raises after":
            raise self.error(self.number)
        return [self.number, result] if self.behaviour == "changes" else result


def handler(raises: type[BaseException] | None, recorder: Recorder) -> Callable[..., object]:
    """Return what is wrapped: it returns, or raises an error of that class."""

    def handle(job: object, context: object) -> object:
        recorder.note("handle", job, context)
        if raises is not None:
            raise raises("handler")
        return "result"

    return handle


def outcome_of(call: Callable[[], object], recorder: Recorder) -> Outcome:
    """Return what came out of a call, and what happened meanwhile."""
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - the error is the outcome
        cause = error.__cause__
        return type(error).__name__, (error.args, type(cause).__name__), recorder.events
    return "returned", result, recorder.events


def by_pluggy(plugins: Sequence[object], handle: Callable[..., object]) -> object:
    """Run *handle* inside the wrappers of *plugins* through pluggy's own call."""

    class Innermost:
        @hookimpl(trylast=True)
        def work_handle(self, job: object, context: object) -> object:
            return handle(job, context)

    manager = pluggy.PluginManager("work")
    manager.add_hookspecs(hookspecs)
    for plugin in [Innermost(), *reversed(plugins)]:
        manager.register(plugin)
    return manager.hook.work_handle(job=JOB, context=CONTEXT)


def by_fold(plugins: Sequence[object], handle: Callable[..., object]) -> object:
    """Run *handle* inside the wrappers of *plugins* through the fold."""
    return fold(hooks_of(plugins).work_handle, handle)(JOB, CONTEXT)


def by_fold_async(plugins: Sequence[object], handle: Callable[..., object]) -> object:
    """Run *handle*, as a coroutine function, inside the wrappers of *plugins*."""

    async def handle_async(job: object, context: object) -> object:
        await asyncio.sleep(0)
        return handle(job, context)

    coroutine = fold_async(hooks_of(plugins).work_handle, handle_async)(JOB, CONTEXT)
    with asyncio.Runner() as runner:
        return runner.run(coroutine)  # type: ignore[arg-type] # an awaitable from a coroutine function


Way = Callable[[Sequence[object], Callable[..., object]], object]


def run(way: Way, chain: Sequence[Behaviour], raises: type[BaseException] | None) -> Outcome:
    """Run a handler inside a chain of wrappers in one of the three ways."""
    recorder = Recorder()
    plugins = [Behaving(behaviour, number, recorder) for behaviour, number in chain]
    return outcome_of(lambda: way(plugins, handler(raises, recorder)), recorder)


BEHAVIOURS = (
    "passes",
    "changes",
    "swallows",
    "replaces",
    "raises before",
    "raises after",
    "does not yield",
)
chains = st.lists(st.sampled_from(BEHAVIOURS), max_size=5).map(
    lambda names: [(name, number) for number, name in enumerate(names)]
)
raised = st.sampled_from([None, *ERRORS])


def without_wording(outcome: Outcome) -> Outcome:
    """Return an outcome in which a wrapper's fault reads the same, whoever worded it."""
    kind, detail, events = outcome
    faults = ("did not yield", "yielded a second time", "has second yield")

    def plain(text: str) -> str:
        return next(
            (text.partition("Error ")[0] + fault for fault in faults if fault in text), text
        )

    if kind == "RuntimeError" and any(fault in str(detail) for fault in faults):
        detail = next(fault for fault in faults if fault in str(detail))
    return kind, detail, [plain(event) for event in events]


@given(chains, raised)
def test_a_fold_is_pluggys_call(chain: list[Behaviour], raises: type[BaseException] | None) -> None:
    """For any chain of wrappers the fold does what pluggy does, in the same order."""
    expected = without_wording(run(by_pluggy, chain, raises))
    assert without_wording(run(by_fold, chain, raises)) == expected


# asyncio itself stops at what is no Exception, and a coroutine cannot raise StopIteration.
@given(chains, st.sampled_from([None, BoomError, RuntimeError]))
def test_an_async_fold_is_pluggys_call(
    chain: list[Behaviour], raises: type[BaseException] | None
) -> None:
    """Around a coroutine function the same wrappers do the same."""
    chain = [(name, number * len(ERRORS)) for name, number in chain]  # they raise BoomError
    expected = without_wording(run(by_pluggy, chain, raises))
    assert without_wording(run(by_fold_async, chain, raises)) == expected


WAYS = pytest.mark.parametrize("way", [by_pluggy, by_fold, by_fold_async])


@WAYS
def test_the_first_plugin_is_outermost(way: Way) -> None:
    """On the way in the list runs forwards, on the way out backwards."""
    assert run(way, [("changes", 1), ("changes", 2)], None) == (
        "returned",
        [1, [2, "result"]],
        [
            "1 before job context",
            "2 before job context",
            "handle job context",
            "2 finally",
            "2 after result",
            "1 finally",
            "1 after [2, 'result']",
        ],
    )


def test_no_wrappers_cost_nothing() -> None:
    """Without wrappers the fold is the function itself."""

    async def handle_async(job: object, context: object) -> None:
        pass

    handle = handler(None, Recorder())
    hook = hooks_of([]).work_handle
    assert fold(hook, handle) is handle
    assert fold_async(hook, handle_async) is handle_async


# -- wrappers that yield twice --------------------------------------------------------------------


class Twice:
    """A wrapper that does not know when to stop."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.stubborn = stubborn

    @hookimpl(wrapper=True)
    def work_handle(self) -> Generator[None, object, object]:
        """Yield, and yield again."""
        try:
            result = yield
        except BoomError:
            result = None
        try:
            yield
        except GeneratorExit:
            if self.stubborn:
                yield
            raise
        return result


@WAYS
@pytest.mark.parametrize("raises", [None, BoomError])
def test_a_second_yield_is_an_error(way: Way, raises: type[BaseException] | None) -> None:
    """A wrapper that yields twice is refused, whether or not the handler failed."""
    with pytest.raises(RuntimeError, match="second"):
        way([Twice()], handler(raises, Recorder()))


def test_a_wrapper_that_yields_wrongly_is_named() -> None:
    """The message names the method and its place, and says what is expected."""
    place = r"\(.*test_fold\.py:\d+\); a wrapper must yield exactly once"
    with pytest.raises(RuntimeError, match=rf"Twice\.work_handle yielded a second time {place}"):
        by_fold([Twice()], handler(None, Recorder()))
    with pytest.raises(RuntimeError, match=rf"Behaving\.work_handle did not yield {place}"):
        by_fold([Behaving("does not yield", 1, Recorder())], handler(None, Recorder()))


@WAYS
def test_a_generator_that_cannot_be_closed_is_an_error(way: Way) -> None:
    """A wrapper that yields even while it is closed is refused by Python itself."""
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        way([Twice(stubborn=True)], handler(None, Recorder()))


@pytest.mark.parametrize("way", [by_fold, by_fold_async])
def test_around_a_second_yield_the_others_clean_up(way: Way) -> None:
    """Those outside of a wrapper that yields twice get its error, where pluggy forgets them."""
    recorder = Recorder()
    plugins = [Behaving("passes", 1, recorder), Twice()]
    with pytest.raises(RuntimeError, match="second time"):
        way(plugins, handler(None, recorder))
    assert recorder.events[-1] == "1 finally"


# -- wrappers with fewer arguments ----------------------------------------------------------------


class Arguments:
    """What the wrappers of the next test were given."""

    def __init__(self) -> None:
        self.given: list[tuple[object, ...]] = []


class NoArguments(Arguments):
    """A wrapper that wants nothing."""

    @hookimpl(wrapper=True)
    def work_handle(self) -> Generator[None, object, object]:
        """Note nothing."""
        self.given.append(())
        return (yield)


class FirstArgument(Arguments):
    """A wrapper that wants the job."""

    @hookimpl(wrapper=True)
    def work_handle(self, job: object) -> Generator[None, object, object]:
        """Note the job."""
        self.given.append((job,))
        return (yield)


class SecondArgument(Arguments):
    """A wrapper that wants the context."""

    @hookimpl(wrapper=True)
    def work_handle(self, context: object) -> Generator[None, object, object]:
        """Note the context."""
        self.given.append((context,))
        return (yield)


class OtherOrder(Arguments):
    """A wrapper that wants both the other way round."""

    @hookimpl(wrapper=True)
    def work_handle(self, context: object, job: object) -> Generator[None, object, object]:
        """Note both."""
        self.given.append((context, job))
        return (yield)


class WithDefault(Arguments):
    """A wrapper that could do without the context."""

    @hookimpl(wrapper=True)
    def work_handle(self, job: object, context: object = None) -> Generator[None, object, object]:
        """Note both."""
        self.given.append((job, context))
        return (yield)


@WAYS
@pytest.mark.parametrize(
    ("make", "given_arguments"),
    [
        (NoArguments, ()),
        (FirstArgument, (JOB,)),
        (SecondArgument, (CONTEXT,)),
        (OtherOrder, (CONTEXT, JOB)),
        (WithDefault, (JOB, CONTEXT)),
    ],
)
def test_a_wrapper_gets_the_arguments_it_names(
    way: Way, make: type[Arguments], given_arguments: tuple[object, ...]
) -> None:
    """A wrapper may take fewer arguments than its hook, in any order."""
    plugin = make()
    assert way([plugin, make()], handler(None, Recorder())) == "result"
    assert plugin.given == [given_arguments]


def test_hooks_of_one_argument_fold_too() -> None:
    """The hooks that run once per batch take one argument."""

    class Doubles:
        @hookimpl(wrapper=True)
        def work_enqueue(self, batch: Any) -> Generator[None, Any, Any]:
            batch.append("seen")
            return (yield) * 2

    class Ignores:
        @hookimpl(wrapper=True)
        def work_enqueue(self) -> Generator[None, Any, Any]:
            return (yield) + ["ignored"]

    call = fold(hooks_of([Doubles(), Ignores()]).work_enqueue, list)
    assert call([]) == ["seen", "ignored", "seen", "ignored"]


# -- what tracebacks keep alive -------------------------------------------------------------------


class Payload:
    """Something large that a job carries."""


@pytest.mark.parametrize("raises", [BoomError, StopIteration])
def test_an_error_keeps_nothing_alive(raises: type[BaseException]) -> None:
    """Once an error is handled its frames are gone, with the job, without a garbage collection."""

    def handle(job: object, context: object) -> None:
        raise raises

    call = fold(hooks_of([NoArguments(), NoArguments()]).work_handle, handle)
    payload = Payload()
    gone = weakref.ref(payload)
    gc.disable()
    try:
        with pytest.raises(raises):
            call(payload, None)
        del payload
        assert gone() is None
    finally:
        gc.enable()
