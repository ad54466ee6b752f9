"""The plug-in objects of one app, task or command, checked when they are registered."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pluggy

from work_core import hookspecs
from work_core.errors import PluginError
from work_core.url import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOOKS = [name for name in vars(hookspecs) if name.startswith("work_")]


def hooks_of(plugins: Iterable[object]) -> pluggy.HookRelay:
    """Return the hooks with *plugins* registered; the first plug-in is the outermost.

    Raises:
        PluginError: naming the plug-in that is no plug-in, misspells a hook, asks for arguments
            that a hook does not have, or implements a wrapped hook without being a wrapper.
    """
    manager = pluggy.PluginManager("work")
    manager.add_hookspecs(hookspecs)
    # Pluggy calls the newest first (and Go the last): the list reads from the outside in.
    for plugin in reversed(list(plugins)):
        register(manager, plugin)
    return manager.hook


def register(manager: pluggy.PluginManager, plugin: object) -> None:
    """Register *plugin* with *manager* after checking it, as ``hooks_of`` does."""
    name = describe(plugin)
    _check_is_plugin(plugin, name)
    if manager.is_registered(plugin):
        raise PluginError(f"{name} is listed twice; pass each plug-in object once")
    try:
        manager.register(plugin)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise PluginError(f"{name} cannot be registered: {_last_line(error)}") from error
    _check_wrappers(manager, plugin, name)


def describe(plugin: object) -> str:
    """Return the name by which messages call *plugin*."""
    return str(getattr(plugin, "__name__", None) or type(plugin).__qualname__)


def _check_is_plugin(plugin: object, name: str) -> None:
    if isinstance(plugin, type):
        raise PluginError(f"plug-in {name} is a class; pass an object: {name}(...)")
    methods = [method for method in dir(plugin) if _is_method(plugin, method)]
    for method in methods:
        if method not in _HOOKS:
            raise PluginError(f"{name}.{method} is no hook{suggestion(method, _HOOKS)}")
        if not hasattr(getattr(plugin, method), "work_impl"):
            raise PluginError(f"{name}.{method} is not marked; decorate it with @hookimpl")
    if not methods:
        raise PluginError(f"{name} is no plug-in: it has none of {', '.join(_HOOKS)}")


def _is_method(plugin: object, name: str) -> bool:
    # A module plug-in may hold other modules, such as `work_core` itself.
    return name.startswith("work_") and inspect.isroutine(getattr(plugin, name))


def _check_wrappers(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    for hook in hookspecs.WRAPPED_HOOKS:
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin is not plugin or _wraps(implementation):
                continue
            manager.unregister(plugin)
            raise PluginError(
                f"{name}.{hook} is no wrapper, so the job would never get past it; "
                "mark it @hookimpl(wrapper=True) and yield once"
            )


def _wraps(implementation: pluggy.HookImpl) -> bool:
    return implementation.wrapper and inspect.isgeneratorfunction(implementation.function)


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
