"""``work worker``: run the jobs of an app."""

from __future__ import annotations

import sys
from typing import Any

import click

from work_core.cli.options import WorkerOptions, size
from work_core.cli.settings import Settings, pass_settings
from work_core.worker.worker import GRACE

EVERYWHERE = "0.0.0.0"  # noqa: S104 - probes and scrapers come from other machines


@click.command()
@click.argument("target", metavar="MODULE:APP")
@click.option("-q", "--queue", "queues", multiple=True, help="Only this queue; may be repeated.")
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1),
    help="Jobs at once per queue and process.  [default: 10, async tasks 100]",
)
@click.option(
    "-p",
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Worker processes, started and replaced by a supervisor.",
)
@click.option(
    "--strict", is_flag=True, help="Serve a queue only while those named before it are empty."
)
@click.option("--drain", is_flag=True, help="Stop when nothing is due any more.")
@click.option("--reload", is_flag=True, help="Start anew when a source file changes.")
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    envvar="WORK_METRICS_PORT",
    show_envvar=True,
    help="Serve /metrics, /livez and /readyz.",
)
@click.option(
    "--metrics-host", default=EVERYWHERE, show_default=True, help="The address to serve them on."
)
@click.option("--max-jobs", type=click.IntRange(1), help="Replace a process after about N jobs.")
@click.option(
    "--max-memory", metavar="SIZE", callback=size, help="Replace a process above SIZE, say 512M."
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=GRACE,
    show_default=True,
    help="Seconds that running jobs get when the worker stops.",
)
@click.option("--line", type=int, hidden=True)
@pass_settings
def worker(settings: Settings, /, **options: Any) -> None:
    """Run the jobs of an app.

    MODULE:APP names it, for example tasks:app. It runs until SIGTERM or Ctrl-C: the first signal
    lets running jobs end within the grace period, the second ends at once.
    """
    chosen = WorkerOptions(**options)
    if chosen.drain and chosen.reload:
        raise click.UsageError("--drain and --reload exclude each other")
    if chosen.line is not None:
        from work_core.cli.running import run_as_child

        run_as_child(settings, chosen, chosen.line)
    elif chosen.supervised:
        from work_core.cli.supervising import run_supervisor

        sys.exit(run_supervisor(settings, chosen))
    else:
        from work_core.cli.running import run_here

        run_here(settings, chosen)
