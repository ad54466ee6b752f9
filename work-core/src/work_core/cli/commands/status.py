"""``work status``: what waits in each queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from work_core.capabilities import Browser, MetricsExporter
from work_core.cli.settings import Settings, pass_settings
from work_core.cli.table import print_table
from work_core.job import QueueName, utc_now
from work_core.plugins import require
from work_core.url import redact

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.capabilities import QueueMetrics

Row = tuple[QueueName, "QueueMetrics"]


@click.command()
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@pass_settings
def status(settings: Settings, queues: tuple[str, ...], as_json: bool) -> None:
    """Show what waits in each queue.

    Ready jobs are due, scheduled ones are due later or being run; the latency is for how long
    the oldest ready job has been due. Without names: all queues that hold jobs.
    """
    with settings.open_backend() as backend:
        rows = _measure(backend, settings, queues)
    if as_json:
        for row in rows:
            click.echo(json.dumps(_as_object(*row)))
    elif rows:
        print_table(
            ("QUEUE", "READY", "SCHEDULED", "LATENCY"), [_as_cells(*row) for row in rows], numbers=3
        )
    else:
        where = redact(settings.config.url)
        click.echo(f"no jobs in namespace {settings.namespace!r} of {where}")


def _measure(backend: Backend, settings: Settings, queues: tuple[str, ...]) -> list[Row]:
    exporter: MetricsExporter = require(backend, MetricsExporter)
    if queues:
        names = [settings.queue(queue) for queue in queues]
    else:
        browser: Browser = require(backend, Browser)
        names = browser.queues(settings.namespace)
    return [(name, exporter.metrics(name, at=utc_now())) for name in names]


def _as_cells(name: QueueName, found: QueueMetrics) -> tuple[str, str, str, str]:
    about = "" if found.exact else "~"
    return (
        name.queue_id,
        f"{about}{found.ready}",
        f"{about}{found.scheduled}",
        _duration(found.latency),
    )


def _as_object(name: QueueName, found: QueueMetrics) -> dict[str, object]:
    return {"namespace": name.namespace, "queue": name.queue_id, **found._asdict()}


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
