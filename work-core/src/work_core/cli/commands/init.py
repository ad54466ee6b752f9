"""``work init``: write a settings file that explains itself."""

from __future__ import annotations

from pathlib import Path

import click

from work_core.config import DEFAULT_NAMESPACE, DEFAULT_URL
from work_core.errors import ConfigError
from work_core.plugins import installed_middleware

_FILE = """\
# Settings of work. WORK_URL, WORK_NAMESPACE and WORK_STORES in the environment override this file.

# Where jobs wait; `work backends` lists what is installed.
#   sqlite:///work.db                        a file, for one machine
#   postgresql+psycopg://user@localhost/app  tables beside your own
#   redis://localhost                        the fastest
url = "{url}"

# The first half of every queue's name: keeps several programs in one store apart.
namespace = "{namespace}"

# A second store for unique jobs and limits, where the first one cannot keep them (SQS).
#stores = "redis://localhost"

# What surrounds every job, outermost first.
{plugins}
"""

_PLUGINS = """\
plugins = [
  "logging",                              # each failure with its job, queue, task and time
  "dead-letters",                         # keeps jobs that failed for good; see: work dead list
  { name = "max-retries", limit = 25 },   # gives a job up after about nine hours of retries
  "heartbeat",                            # renews the lease of jobs that run long
]"""

_WANTED = ("logging", "dead-letters", "max-retries", "heartbeat")


@click.command()
def init() -> None:
    """Write a work.toml that explains itself."""
    installed = {found.name for found in installed_middleware()}
    missing = [name for name in _WANTED if name not in installed]
    plugins = _commented_out(_PLUGINS) if missing else _PLUGINS
    text = _FILE.format(url=DEFAULT_URL, namespace=DEFAULT_NAMESPACE, plugins=plugins)
    try:
        with Path("work.toml").open("x") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError("work.toml is there already; delete it first to start over") from error
    click.echo("wrote work.toml")
    if missing:
        click.echo("its plug-ins are commented out: pip install work-middleware to use them")


def _commented_out(text: str) -> str:
    return "".join(f"#{line}\n" for line in text.splitlines()).rstrip()
