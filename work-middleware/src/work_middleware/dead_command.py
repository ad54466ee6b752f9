"""``work dead``: list, show, replay and purge dead letters."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from work_core.capabilities import Browser, MetricsExporter
from work_core.cli.settings import Settings, pass_settings
from work_core.cli.table import print_table
from work_core.errors import ConfigError, WorkError
from work_core.hookspecs import hookimpl
from work_core.job import QueueName, utc_now
from work_core.plugins import require
from work_middleware.dead_letter import SUFFIX
from work_middleware.dead_queue import DeadQueue

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_middleware.dead_letter import DeadLetter


@hookimpl
def work_commands(cli: click.Group) -> None:
    """Add ``work dead``."""
    cli.add_command(dead)


@click.group()
def dead() -> None:
    """See, replay and purge the jobs that were given up."""


@dead.command("list")
@click.argument("queue", required=False)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@pass_settings
def list_letters(settings: Settings, queue: str | None, limit: int, as_json: bool) -> None:
    """List the dead letters of QUEUE, the oldest first; without QUEUE count them per queue."""
    with settings.open_backend() as backend:
        if queue is None:
            _print_counts(backend, settings.namespace, as_json=as_json)
            return
        letters = DeadQueue(backend, settings.queue(queue)).letters(limit)
    if as_json:
        _print_json(letters)
    elif letters:
        rows = [(each.id, _time(each.died_at), each.reason, _line(each.error)) for each in letters]
        print_table(("JOB", "DIED", "REASON", "ERROR"), rows)
    else:
        click.echo(f"no dead letters of queue {queue!r}")


@dead.command()
@click.argument("queue")
@click.argument("job_id", metavar="JOB")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@pass_settings
def show(settings: Settings, queue: str, job_id: str, as_json: bool) -> None:
    """Show all that is known about the dead job JOB of QUEUE."""
    with settings.open_backend() as backend:
        letter = DeadQueue(backend, settings.queue(queue)).find(job_id)
    if letter is None:
        raise WorkError(f"no dead letter of job {job_id!r} in queue {queue!r}; see: work dead list")
    if as_json:
        _print_json([letter])
    else:
        _print_letter(letter)


@dead.command()
@click.argument("queue")
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters of QUEUE.")
@pass_settings
def replay(settings: Settings, queue: str, job_ids: tuple[str, ...], everything: bool) -> None:
    """Enqueue dead jobs of QUEUE again, due now, with their failures forgotten."""
    ids = _chosen(job_ids, everything=everything)
    with settings.open_backend() as backend:
        count = DeadQueue(backend, settings.queue(queue)).replay(ids)
    _report(count, ids, f"enqueued again into {queue!r}")


@dead.command()
@click.argument("queue")
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters of QUEUE.")
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Only older ones.")
@pass_settings
def purge(
    settings: Settings,
    queue: str,
    job_ids: tuple[str, ...],
    everything: bool,
    older_than: float | None,
) -> None:
    """Delete dead letters of QUEUE for good."""
    before = None if older_than is None else utc_now() - timedelta(days=older_than)
    if before and job_ids:
        raise ConfigError("give jobs or --older-than, not both")
    ids = _chosen(job_ids, everything=everything or before is not None)
    with settings.open_backend() as backend:
        count = DeadQueue(backend, settings.queue(queue)).purge(ids, before=before)
    _report(count, ids, "deleted")


def _chosen(job_ids: tuple[str, ...], *, everything: bool) -> tuple[str, ...] | None:
    if bool(job_ids) == everything:
        raise ConfigError("say which: name jobs, or say --all")
    return job_ids or None


def _report(count: int, ids: tuple[str, ...] | None, what: str) -> None:
    click.echo(f"{count} dead {'job' if count == 1 else 'jobs'} {what}")
    if ids is not None and count < len(set(ids)):
        raise WorkError(f"{len(set(ids)) - count} of the jobs have no dead letter here")


def _print_counts(backend: Backend, namespace: str, *, as_json: bool) -> None:
    browser: Browser = require(backend, Browser)
    exporter: MetricsExporter = require(backend, MetricsExporter)
    names = [name for name in browser.queues(namespace) if name.queue_id.endswith(SUFFIX)]
    found = [(name.queue_id.removesuffix(SUFFIX), _count(exporter, name)) for name in names]
    if as_json:
        for queue, count in found:
            click.echo(json.dumps({"namespace": namespace, "queue": queue, "dead": count}))
    elif found:
        print_table(("QUEUE", "DEAD"), [(queue, str(count)) for queue, count in found], numbers=1)
    else:
        click.echo(f"no dead letters in namespace {namespace!r}")


def _count(exporter: MetricsExporter, name: QueueName) -> int:
    metrics = exporter.metrics(name, at=utc_now())
    return metrics.ready + metrics.scheduled


def _print_json(letters: list[DeadLetter]) -> None:
    for letter in letters:
        known = asdict(letter)
        known["payload"] = letter.arguments()
        click.echo(json.dumps(known, default=_plain))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else repr(value)


def _print_letter(letter: DeadLetter) -> None:
    for name, value in (
        ("job", letter.id),
        ("queue", letter.queue),
        ("task", letter.task),
        ("created", _time(letter.created_at)),
        ("died", _time(letter.died_at)),
        ("retries", letter.retries),
        ("deliveries", letter.deliveries),
        ("reason", letter.reason),
        ("error", letter.error),
        ("payload", letter.arguments()),
    ):
        click.echo(f"{name + ':':<12}{value}")
    for name, value in (("earlier errors", letter.history), ("traceback", letter.traceback)):
        if value:
            click.echo(f"\n{name}:\n{value.rstrip()}")


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _line(error: str) -> str:
    return error.partition("\n")[0][:80]
