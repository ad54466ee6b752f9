"""Find sub-commands, each when it is typed: ours by module, other packages' by entry point.

Loading every plug-in for ``work --help`` would make it slower with every package installed, and let
one broken package break all of it. So help lists names and distributions, which are metadata.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import click
import pluggy

from work_core import hookspecs
from work_core.cli.failures import one_line, told_in_one_line
from work_core.cli.settings import Settings, add_settings_options, settings_of
from work_core.errors import PluginError
from work_core.hooks import register
from work_core.url import suggestion

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

COMMANDS = "work_core.commands"
"""The entry-point group: name = sub-command, value = a module that implements ``work_commands``."""

_OWN = ("backends", "enqueue", "health", "init", "status", "worker")


class WorkGroup(click.Group):
    """The group of all sub-commands; every error leaves it as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of our own and the installed sub-commands."""
        return sorted({*_OWN, *(entry.name for entry in entry_points(group=COMMANDS))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load the sub-command *cmd_name*, and nothing else."""
        installed = list(entry_points(group=COMMANDS, name=cmd_name))
        if cmd_name in _OWN:
            _refuse_claim(cmd_name, installed)
            return _own(cmd_name)
        return _installed(cmd_name, installed) if installed else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the sub-command that *args* begin with, or say which one was meant."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            hint = suggestion(args[0], self.list_commands(ctx))
            ctx.fail(f"unknown command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List our own commands with what they do, the others with where they come from."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _own(name).get_short_help_str(80)) for name in _OWN])
        if installed := sorted(entry_points(group=COMMANDS), key=lambda entry: entry.name):
            with formatter.section("Commands of other packages"):
                formatter.write_dl([(entry.name, f"({_owner(entry)})") for entry in installed])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the options before the sub-command."""
        settings = extra.setdefault("obj", Settings())
        with told_in_one_line(lambda: settings.verbosity):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command."""
        with told_in_one_line(lambda: settings_of(ctx).verbosity):
            return super().invoke(ctx)


def _own(name: str) -> click.Command:
    command: click.Command = getattr(import_module(f"work_core.cli.commands.{name}"), name)
    return _equipped(command)


def _installed(name: str, entries: list[EntryPoint]) -> click.Command:
    by_value = {entry.value: entry for entry in entries}
    if len(by_value) > 1:
        owners = ", ".join(sorted(_owner(entry) for entry in entries))
        raise PluginError(f"command {name!r} is claimed by {owners}; uninstall all but one")
    entry = next(iter(by_value.values()))
    commands = _asked(entry)
    if name not in commands.commands:
        raise PluginError(
            f"{_owner(entry)} offers the command {name!r}, but its work_commands does not add it"
        )
    return _equipped(commands.commands[name])


def _asked(entry: EntryPoint) -> click.Group:
    """Ask the plug-in of *entry*, and no other, for its commands."""
    commands = click.Group()
    manager = pluggy.PluginManager("work")
    manager.add_hookspecs(hookspecs)
    try:
        register(manager, entry.load())
        manager.hook.work_commands(cli=commands)
    except Exception as error:
        raise PluginError(
            f"{_owner(entry)} cannot serve the command {entry.name!r}: "
            f"{type(error).__name__}: {one_line(error)}"
        ) from error
    return commands


def _equipped(command: click.Command) -> click.Command:
    add_settings_options(command)
    return command


def _refuse_claim(name: str, entries: list[EntryPoint]) -> None:
    if entries:
        raise PluginError(
            f"{_owner(entries[0])} claims the command {name!r}, which is built in; uninstall it"
        )


def _owner(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
