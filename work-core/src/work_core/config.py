"""Settings: one file or none, and the environment over it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from work_core.errors import ConfigError, InvalidURL, PluginError
from work_core.url import parse_url, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_URL = "sqlite:///work.db"
DEFAULT_NAMESPACE = "work"
DEFAULTS = "the defaults"
KEYS = ("url", "namespace", "stores", "plugins")

_ENVIRONMENT = {"WORK_URL": "url", "WORK_NAMESPACE": "namespace", "WORK_STORES": "stores"}


@dataclass(frozen=True, slots=True)
class PluginSetting:
    """One entry of ``plugins``: a middleware by its config name, not loaded yet.

    Attributes:
        name: what a distribution offers it as.
        options: what its class is called with.
        where: the file and the key, for messages.
    """

    name: str
    options: Mapping[str, Any]
    where: str

    def load(self) -> object:
        """Import the middleware and make one of it.

        Raises:
            PluginError: when it is not installed, claimed twice or broken.
            ConfigError: when it does not take these options.
        """
        from work_core.plugins import load_middleware

        try:
            make = load_middleware(self.name)
            _check_options(make, self.options)
            plugin: object = make(**self.options)
        except PluginError as error:
            raise PluginError(f"{self.where}: {error}") from error
        except (ConfigError, TypeError, ValueError) as error:
            raise ConfigError(f"{self.where} ({self.name!r}): {error}") from error
        return plugin


@dataclass(frozen=True, slots=True)
class Config:
    """What an app, a worker and the command line agree on.

    Attributes:
        url: the backend's URL; its repr is left out because it may hold a password.
        namespace: the first half of every queue's name.
        stores: URL of a second backend for semaphores and once-keys; ``None`` for the same one.
        plugins: the app's middleware, outermost first.
        source: the file that was read, or ``"the defaults"``.
    """

    url: str = field(default=DEFAULT_URL, repr=False)
    namespace: str = DEFAULT_NAMESPACE
    stores: str | None = field(default=None, repr=False)
    plugins: tuple[PluginSetting, ...] = ()
    source: str = DEFAULTS

    def load_plugins(self) -> list[object]:
        """Import and make every plug-in, in order; see ``PluginSetting.load`` for the errors."""
        return [setting.load() for setting in self.plugins]


def load_config(path: Path | None = None) -> Config:
    """Read the settings.

    Without *path* the file is the one that ``WORK_CONFIG`` names, else ``work.toml`` of the working
    directory, else the table ``[tool.work]`` of its ``pyproject.toml``, else none. Parents are not
    searched: a relative ``sqlite:///work.db`` belongs to the working directory too. ``WORK_URL``,
    ``WORK_NAMESPACE`` and ``WORK_STORES`` override the file; an empty variable counts as not set.

    Raises:
        ConfigError: for a file that cannot be read, an unknown key or a bad value; the message
            names the file, the key and what was expected.
    """
    if path is None and (named := os.environ.get("WORK_CONFIG")):
        path = Path(named)
    table, source = _read(path) if path else _search()
    settings = {key: (value, f"{source}: {key}") for key, value in table.items()}
    for variable, key in _ENVIRONMENT.items():
        if value := os.environ.get(variable):
            settings[key] = (value, f"environment variable {variable}")
    return _config(settings, source)


def _search() -> tuple[Mapping[str, Any], str]:
    if Path("work.toml").exists():
        return _read(Path("work.toml"))
    if Path("pyproject.toml").exists():
        tool = _parse(Path("pyproject.toml")).get("tool", {})
        if "work" in tool:
            return _table(tool["work"]), "pyproject.toml [tool.work]"
    return {}, DEFAULTS


def _read(path: Path) -> tuple[Mapping[str, Any], str]:
    table = _parse(path)
    if path.name != "pyproject.toml":
        return table, str(path)
    if "work" not in table.get("tool", {}):
        raise ConfigError(f"{path}: has no table [tool.work]")
    return _table(table["tool"]["work"]), f"{path} [tool.work]"


def _table(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"pyproject.toml: tool.work must be a table, not {value!r}")
    return value


def _parse(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error


def _config(settings: Mapping[str, tuple[Any, str]], source: str) -> Config:
    for key in settings:
        if key not in KEYS:
            hint = suggestion(key, list(KEYS)) or f"; known: {', '.join(KEYS)}"
            raise ConfigError(f"{source}: unknown key {key!r}{hint}")
    given: dict[str, Any] = {}
    for key, (value, where) in settings.items():
        check = _plugins if key == "plugins" else _namespace if key == "namespace" else _url
        given[key] = check(value, where)
    return Config(**given, source=source)


def _url(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where} must be a backend URL in quotes, not {value!r}")
    try:
        return parse_url(value).raw
    except InvalidURL as error:
        raise InvalidURL(f"{where}: {error}") from error


def _namespace(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where} must be a name in quotes, not {value!r}")
    return value


def _plugins(value: object, where: str) -> tuple[PluginSetting, ...]:
    if not isinstance(value, list):
        raise ConfigError(
            f'{where} must be a list like ["heartbeat", {{ name = "max-retries", limit = 25 }}], '
            f"not {value!r}"
        )
    return tuple(_plugin(entry, f"{where}[{place}]") for place, entry in enumerate(value))


def _plugin(entry: object, where: str) -> PluginSetting:
    if isinstance(entry, str):
        return PluginSetting(entry, {}, where)
    if isinstance(entry, dict) and isinstance(entry.get("name"), str):
        options = {key: value for key, value in entry.items() if key != "name"}
        return PluginSetting(entry["name"], options, where)
    raise ConfigError(f'{where} must be a name or a table with a "name", not {entry!r}')


def _check_options(make: Any, options: Mapping[str, Any]) -> None:
    import inspect

    parameters = inspect.signature(make).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    for option in options:
        if option not in parameters:
            known = list(parameters)
            hint = f"; known: {', '.join(known)}" if known else "; it takes none"
            raise ConfigError(f"unknown option {option!r}{suggestion(option, known) or hint}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in options:
            raise ConfigError(f"option {name!r} is missing")
