"""What every sub-command is told: which backend, which namespace, which file, how loud."""

from __future__ import annotations

import dataclasses
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from work_core.config import Config, load_config
from work_core.errors import ConfigError, InvalidURL
from work_core.job import QueueName
from work_core.plugins import open_backend
from work_core.url import parse_url

if TYPE_CHECKING:
    from work_core.backend import Backend


class Settings:
    """The settings of one call of ``work``; the file is read when a command asks for it.

    Attributes:
        url: from ``--url``; ``None`` when it was not given.
        namespace_option: likewise from ``--namespace``.
        config_path: likewise from ``--config``.
        verbosity: how often ``-v`` was given.
    """

    def __init__(self) -> None:
        self.url: str | None = None
        self.namespace_option: str | None = None
        self.config_path: Path | None = None
        self.verbosity = 0

    @cached_property
    def config(self) -> Config:
        """The settings that hold: options over environment over file.

        Raises:
            ConfigError: naming the option, the variable or the file and key.
        """
        config = load_config(self.config_path)
        if self.url is not None:
            config = dataclasses.replace(config, url=_checked_url(self.url))
        if self.namespace_option is not None:
            if not self.namespace_option:
                raise ConfigError("--namespace must not be empty")
            config = dataclasses.replace(config, namespace=self.namespace_option)
        return config

    @property
    def namespace(self) -> str:
        """The namespace that holds."""
        return self.config.namespace

    def queue(self, queue_id: str) -> QueueName:
        """Return the address of *queue_id* in the namespace."""
        if not queue_id:
            raise ConfigError("the queue's name must not be empty")
        return QueueName(self.namespace, queue_id)

    def open_backend(self) -> Backend:
        """Open the backend; a context manager, as every backend is."""
        if self.verbosity:
            self.log_to_stderr()
        return open_backend(self.config.url)

    def export(self) -> None:
        """Put the options into the environment, for apps and processes that start later."""
        config = self.config
        if self.url is not None:
            os.environ["WORK_URL"] = config.url
        if self.namespace_option is not None:
            os.environ["WORK_NAMESPACE"] = config.namespace
        if self.config_path is not None:
            os.environ["WORK_CONFIG"] = str(self.config_path.resolve())

    def log_to_stderr(self, level: int = logging.WARNING) -> None:
        """Log our own messages from *level* on; each ``-v`` lowers it by one step."""
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logger = logging.getLogger("work")
        if logger.level == logging.NOTSET:
            logger.setLevel(max(logging.DEBUG, level - 10 * self.verbosity))


pass_settings = click.make_pass_decorator(Settings, ensure=True)
"""Pass the ``Settings`` of this call as a command's first argument."""


def add_settings_options(command: click.Command) -> None:
    """Give *command*, and every sub-command it holds, the options that stand everywhere."""
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params += [option for option in _options() if not taken & set(option.opts)]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            add_settings_options(inner)


def _options() -> list[click.Option]:
    return [
        click.Option(
            ["--url"],
            metavar="URL",
            expose_value=False,
            callback=_remember_url,
            help="Backend, for example sqlite:///work.db or redis://localhost. [env: WORK_URL]",
        ),
        click.Option(
            ["--namespace"],
            metavar="NAME",
            expose_value=False,
            callback=_remember_namespace,
            help="First half of every queue's name. [env: WORK_NAMESPACE]",
        ),
        click.Option(
            ["--config"],
            metavar="FILE",
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_remember_config,
            help="Settings file instead of work.toml or pyproject.toml. [env: WORK_CONFIG]",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_remember_verbosity,
            help="Say more; -vv shows tracebacks.",
        ),
    ]


def _remember_url(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Settings).url = value


def _remember_namespace(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Settings).namespace_option = value


def _remember_config(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Settings).config_path = value


def _remember_verbosity(context: click.Context, _: click.Parameter, value: int) -> None:
    context.ensure_object(Settings).verbosity += value


def _checked_url(text: str) -> str:
    try:
        return parse_url(text).raw
    except InvalidURL as error:
        raise InvalidURL(f"--url: {error}") from error


def settings_of(context: click.Context | None) -> Settings:
    """Return the settings of *context*, or fresh ones before there are any."""
    found: Any = context.find_object(Settings) if context else None
    return found or Settings()
