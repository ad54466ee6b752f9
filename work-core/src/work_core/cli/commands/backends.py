"""``work backends``: what is installed, and what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from work_core.cli.table import print_table
from work_core.plugins import installed_backends, installed_middleware

if TYPE_CHECKING:
    from work_core.plugins import Installed


@click.command()
def backends() -> None:
    """List the installed backends and middleware."""
    print_table(
        ("SCHEME", "FROM", "CAPABILITIES"),
        [
            (f"{found.name}://", found.distribution, _abilities(found))
            for found in installed_backends()
        ],
    )
    if middleware := installed_middleware():
        click.echo()
        print_table(
            ("MIDDLEWARE", "FROM"), [(found.name, found.distribution) for found in middleware]
        )


def _abilities(found: Installed) -> str:
    if found.problem:
        return f"broken: {found.problem}"
    if found.capabilities is None:
        return "not stated"
    return ", ".join(found.capabilities) or "none beyond the contract"
