"""Find backends and middleware by entry point: by name, one at a time, installed is not enabled.

Pluggy's own loader would import every installed plug-in, take the first of two that claim one name,
and let whichever backend loaded last answer for any URL; so the look-up is done here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from work_core.backend import Backend
from work_core.capabilities import CAPABILITIES
from work_core.errors import PluginError, UnsupportedError, WorkError
from work_core.hooks import hooks_of
from work_core.url import parse_url, suggestion

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import pluggy

BACKENDS = "work_core.backends"
MIDDLEWARE = "work_core.middleware"

_BUILT_IN = {"memory": "work_core.memory"}
_PACKAGES = {
    "redis": "work-redis",
    "rediss": "work-redis",
    "unix": "work-redis",
    "sidekiq": "work-redis",
    "sqlite": "work-sql",
    "postgresql": "work-sql[postgresql]",
    "mysql": "work-sql[mysql]",
    "mariadb": "work-sql[mysql]",
    "sqs": "work-sqs",
}


class Installed(NamedTuple):
    """One name that a distribution offers, as ``work backends`` shows it.

    Attributes:
        name: the URL scheme or config name.
        distribution: who offers it, with its version.
        capabilities: what the backend can do beyond the contract; ``None`` when it does not say.
        problem: why it cannot be used, or an empty string.
    """

    name: str
    distribution: str
    capabilities: tuple[str, ...] | None
    problem: str


def open_backend(url: str) -> Backend:
    """Open the backend that owns the scheme of *url*; it connects at the first call.

    Raises:
        InvalidURL: for a malformed URL or an option that the backend does not know.
        PluginError: when no installed distribution has the scheme, or more than one has, or it is
            broken.
    """
    parsed = parse_url(url)
    hook = _backend_hooks(parsed.owner)
    try:
        backend = hook.work_open_backend(url=parsed.raw)
    except WorkError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the plug-in raises, the message names it
        reason = parsed.hide(f"{type(error).__name__}: {error}")
        # A cause that shows the password would be printed with every traceback.
        cause = error if reason.endswith(str(error)) else None
        raise PluginError(f"the backend of {parsed} failed to open: {reason}") from cause
    if not isinstance(backend, Backend):
        raise PluginError(
            f"{_owner_of(parsed.owner)} cannot serve {parsed.owner!r}: "
            f"work_open_backend returned {backend!r}, which is no Backend"
        )
    return backend


def load_middleware(name: str) -> Any:
    """Return the class that an installed distribution offers as middleware *name*.

    Raises:
        PluginError: when it is unknown, claimed twice or broken.
    """
    entry = _only(_entries(MIDDLEWARE, name), name)
    if entry is None:
        known = sorted({entry.name for entry in _entries(MIDDLEWARE)})
        hint = suggestion(name, known)
        if not hint:
            hint = (
                f"; installed: {', '.join(known)}"
                if known
                else "; try: pip install work-middleware"
            )
        raise PluginError(f"no middleware {name!r} is installed{hint}")
    return _load(entry)


def require(backend: Backend, capability: type) -> Any:
    """Return *backend* as one that has *capability* (an ABC of ``work_core.capabilities``).

    Raises:
        UnsupportedError: naming the backend, the capability and the installed backends that have
            it.
    """
    if isinstance(backend, capability):
        return backend
    wanted = capability.__name__
    having = [found.name for found in installed_backends() if wanted in (found.capabilities or ())]
    where = f"; installed backends that are: {', '.join(having)}" if having else ""
    raise UnsupportedError(f"{type(backend).__name__} is not a {wanted}{where}")


def installed_backends() -> list[Installed]:
    """Return every scheme that is installed, loading each plug-in; broken ones say so."""
    names = sorted({*_BUILT_IN, *(entry.name for entry in _entries(BACKENDS))})
    return [_inspect_backend(name) for name in names]


def installed_middleware() -> list[Installed]:
    """Return every middleware name that this environment offers, without loading any."""
    names = sorted({entry.name for entry in _entries(MIDDLEWARE)})
    return [Installed(name, _owners(_entries(MIDDLEWARE, name)), None, "") for name in names]


def capabilities_of(backend: type) -> tuple[str, ...]:
    """Return the names of the capabilities that a backend class has."""
    return tuple(ability.__name__ for ability in CAPABILITIES if issubclass(backend, ability))


def _inspect_backend(scheme: str) -> Installed:
    owner = _owner_of(scheme)
    try:
        found = _backend_hooks(scheme).work_backend_class(scheme=scheme)
        return Installed(scheme, owner, capabilities_of(found) if found else None, "")
    except PluginError as error:
        return Installed(scheme, owner, None, str(error))
    except Exception as error:  # noqa: BLE001 - one broken plug-in must not hide the others
        return Installed(scheme, owner, None, f"{type(error).__name__}: {error}")


def _owner_of(scheme: str) -> str:
    return "work-core (built in)" if scheme in _BUILT_IN else _owners(_entries(BACKENDS, scheme))


@cache
def _backend_hooks(scheme: str) -> pluggy.HookRelay:
    """Load the owner of *scheme* into a manager of its own, so that no other can answer."""
    plugin = _built_in(scheme) or _installed_backend(scheme)
    try:
        return hooks_of([plugin])
    except PluginError as error:
        raise PluginError(f"{_owner_of(scheme)} cannot serve {scheme!r}: {error}") from error


def _built_in(scheme: str) -> object | None:
    if scheme not in _BUILT_IN:
        return None
    from importlib import import_module

    return import_module(_BUILT_IN[scheme])


def _installed_backend(scheme: str) -> object:
    entry = _only(_entries(BACKENDS, scheme), scheme)
    if entry is not None:
        return _load(entry)
    if scheme in _PACKAGES:
        package = _PACKAGES[scheme]
        raise PluginError(f"no backend for {scheme!r} is installed; try: pip install {package}")
    known = sorted({*_PACKAGES, *_BUILT_IN, *(entry.name for entry in _entries(BACKENDS))})
    hint = suggestion(scheme, known) or f"; known: {', '.join(known)}"
    raise PluginError(f"unknown backend {scheme!r}{hint}")


def _entries(group: str, name: str | None = None) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    found = entry_points(group=group) if name is None else entry_points(group=group, name=name)
    return list(found)


def _only(entries: list[EntryPoint], name: str) -> EntryPoint | None:
    # The same value twice is one plug-in seen through two paths, not a conflict.
    by_value = {entry.value: entry for entry in entries}
    if len(by_value) > 1:
        raise PluginError(f"{name!r} is claimed by {_owners(entries)}; uninstall all but one")
    return next(iter(by_value.values()), None)


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise PluginError(
            f"{_owners([entry])} cannot serve {entry.name!r}: {type(error).__name__}: {error}"
        ) from error


def _owners(entries: list[EntryPoint]) -> str:
    owners = {
        f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        for entry in entries
    }
    return ", ".join(sorted(owners))
