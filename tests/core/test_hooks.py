"""Plug-ins are checked when they are registered, and say what is wrong with them."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy
import pytest

import work_core
from work_core.errors import PluginError
from work_core.hooks import describe, hooks_of
from work_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Generator


class Wrapper:
    """A plug-in as it should be."""

    @hookimpl(wrapper=True)
    def work_handle(self) -> Generator[None, object, object]:
        """Do nothing."""
        return (yield)


class Listener:
    """A plug-in that only listens."""

    @hookimpl
    def work_worker_started(self, worker: Any) -> None:
        """Do nothing."""


class Unmarked:
    """A plug-in whose author forgot the mark."""

    def work_handle(self) -> Generator[None, object, object]:
        """Do nothing."""
        return (yield)


class Foreign:
    """A plug-in that is marked for another program."""

    @pluggy.HookimplMarker("other")
    def work_worker_started(self) -> None:
        """Do nothing."""


class Misspelt:
    """A plug-in with a slip of the pen."""

    @hookimpl(wrapper=True)
    def work_handel(self) -> Generator[None, object, object]:
        """Do nothing."""
        return (yield)


class Inquisitive:
    """A plug-in that asks for what its hook does not have."""

    @hookimpl(wrapper=True)
    def work_handle(self, job: Any, tenant: Any) -> Generator[None, object, object]:
        """Do nothing."""
        return (yield)


class Handler:
    """A plug-in that would take every job for itself."""

    @hookimpl
    def work_handle(self, job: Any) -> object:
        """Return something."""
        return job


class OldStyle:
    """A plug-in in pluggy's former style."""

    @hookimpl(hookwrapper=True)
    def work_handle(self) -> Generator[None, Any, None]:
        """Do nothing."""
        yield


class NoGenerator:
    """A plug-in that is marked as a wrapper and never yields."""

    @hookimpl(wrapper=True)
    def work_enqueue(self, batch: Any) -> object:
        """Return something."""
        return batch


class Coroutine:
    """A plug-in with an async wrapper."""

    @hookimpl(wrapper=True)
    async def work_handle(self) -> Any:
        """Do nothing."""
        yield


class Nothing:
    """An object that is no plug-in."""


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Wrapper, r"plug-in Wrapper is a class; pass an object: Wrapper\(\.\.\.\)"),
        (Nothing(), "Nothing is no plug-in: it has none of work_open_backend, .*work_handle"),
        ("heartbeat", "str is no plug-in"),
        (Unmarked(), r"Unmarked\.work_handle is not marked; decorate it with @hookimpl"),
        (Foreign(), r"Foreign\.work_worker_started is not marked"),
        (Misspelt(), r"Misspelt\.work_handel is no hook; did you mean 'work_handle'\?"),
        (Inquisitive(), r"Inquisitive cannot be registered: .*tenant"),
        (Handler(), r"Handler\.work_handle is no wrapper, so the job would never get past it"),
        (OldStyle(), r"OldStyle\.work_handle is no wrapper"),
        (NoGenerator(), r"NoGenerator cannot be registered|NoGenerator\.work_enqueue is no wrap"),
        (Coroutine(), r"Coroutine cannot be registered|Coroutine\.work_handle is no wrapper"),
    ],
)
def test_a_plugin_that_cannot_work_is_refused(plugin: object, reason: str) -> None:
    """The message names the plug-in and the method, and says what to do."""
    with pytest.raises(PluginError, match=reason):
        hooks_of([Listener(), plugin])


def test_an_object_listed_twice_is_refused() -> None:
    """One object cannot stand at two places of the order."""
    plugin = Wrapper()
    with pytest.raises(PluginError, match="Wrapper is listed twice"):
        hooks_of([plugin, plugin])


def test_two_objects_of_a_class_are_two_plugins() -> None:
    """A middleware may be used twice with different options."""
    hooks = hooks_of([Wrapper(), Wrapper()])
    assert len(hooks.work_handle.get_hookimpls()) == 2


def test_the_first_of_the_list_is_the_outermost() -> None:
    """The list reads from the outside in; pluggy calls the last of its implementations first."""
    plugins = [Wrapper(), Wrapper(), Wrapper()]
    found = [each.plugin for each in hooks_of(plugins).work_handle.get_hookimpls()]
    assert found == plugins[::-1]


def test_a_module_is_a_plugin() -> None:
    """A module may hold hooks as functions, next to whatever it imports."""
    module = ModuleType("my_plugin")
    vars(module).update(
        work_core=work_core, work_worker_started=hookimpl(lambda worker: None), work_limit=5
    )
    hooks = hooks_of([module])
    assert len(hooks.work_worker_started.get_hookimpls()) == 1
    assert describe(module) == "my_plugin"


def test_no_plugins_are_no_error() -> None:
    """Without plug-ins every hook is there and does nothing."""
    assert hooks_of([]).work_worker_started(worker=None) == []
