"""The ``work`` command itself: options and sub-commands."""

from __future__ import annotations

import click

from work_core.cli.registry import WorkGroup
from work_core.cli.settings import add_settings_options


@click.group(cls=WorkGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="work-core", prog_name="work")
def cli() -> None:
    """Run background jobs, enqueue them, and see what waits.

    Settings come from work.toml, [tool.work] in pyproject.toml, the environment, and these options.
    """


add_settings_options(cli)


def main() -> None:
    """Run ``work`` with the arguments of this process, and exit."""
    cli(prog_name="work")
