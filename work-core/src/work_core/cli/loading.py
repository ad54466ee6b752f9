"""Import the app that ``module:app`` names."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from work_core.app import App
from work_core.errors import ConfigError, WorkError
from work_core.url import suggestion

if TYPE_CHECKING:
    from types import ModuleType

    from work_core.cli.settings import Settings


def load_app(target: str, settings: Settings) -> App:
    """Return the app that *target* names, with ``--url`` and ``--namespace`` applied.

    Modules are looked for in the working directory first.

    Raises:
        ConfigError: when there is no such module or no app in it.
        WorkError: when the module fails to import.
    """
    module_name, colon, name = target.partition(":")
    if not module_name or (colon and not name):
        raise ConfigError(f"{target!r} names no app; write module:app, for example tasks:app")
    settings.export()
    app = _find_app(_import(module_name), name or "app", target)
    app.override(url=settings.url, namespace=settings.namespace_option)
    return app


def _import(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigError(f"no module {error.name!r} in {folder} or installed") from error
        raise WorkError(f"module {name!r} cannot be imported: {error}") from error
    except (ConfigError, KeyboardInterrupt):
        raise
    except (Exception, SystemExit) as error:
        raise WorkError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _find_app(module: ModuleType, name: str, target: str) -> App:
    found = getattr(module, name, None)
    if isinstance(found, App):
        return found
    apps = [each for each, value in vars(module).items() if isinstance(value, App)]
    hint = suggestion(name, apps)
    if not hint and apps:
        hint = f"; it has: {', '.join(apps)}"
    if found is not None:
        raise ConfigError(f"{target} is {type(found).__name__}, not an App{hint}")
    raise ConfigError(f"module {module.__name__!r} has no {name!r}{hint}")
