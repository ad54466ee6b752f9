"""The ``work sql`` commands: make and update the tables, and see how they are."""

from __future__ import annotations

import click

from work_core.cli.settings import Settings, pass_settings
from work_core.hookspecs import hookimpl
from work_sql.plugin import open_store


@hookimpl
def work_commands(cli: click.Group) -> None:
    """Add ``work sql``."""
    cli.add_command(sql)


@click.group()
def sql() -> None:
    """Look after the tables of an SQL backend."""


@sql.command()
@click.option(
    "--sql", "as_text", is_flag=True, help="Print the statements instead of running them."
)
@click.option(
    "--from",
    "after",
    metavar="VERSION",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="With --sql: the version that the tables have.",
)
@pass_settings
def migrate(settings: Settings, as_text: bool, after: int) -> None:
    """Bring the tables to the version that this package needs."""
    store = open_store(settings.config.url)
    if as_text:
        click.echo(store.migration_script(after), nl=False)
        return
    try:
        before, now = store.migrate()
    except store.errors as error:
        raise store.translate(error) from error
    finally:
        store.close()
    if before == now:
        click.echo(f"the tables have version {now} already")
    else:
        click.echo(f"the tables had version {before} and have version {now} now")


@sql.command()
@pass_settings
def health(settings: Settings) -> None:
    """Show the size of the tables and what keeps them from being cleaned up."""
    store = open_store(settings.config.url)
    try:
        found = store.health()
    except store.errors as error:
        raise store.translate(error) from error
    finally:
        store.close()
    width = max(len(name) for name in found.numbers)
    for name, value in found.numbers.items():
        click.echo(f"{name:<{width}}  {value:,}")
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
