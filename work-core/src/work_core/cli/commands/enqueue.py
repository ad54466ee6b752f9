"""``work enqueue``: put jobs into a queue from the shell."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from work_core.app import App
from work_core.cli.lines import enqueue_lines
from work_core.cli.payloads import payload_of_arguments, payload_of_json
from work_core.cli.settings import Settings, pass_settings
from work_core.job import Job, new_id, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_DELAY = 10 * 365 * 86400.0


@click.command()
@click.argument("queue")
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENT...]")
@click.option("--json", "text", metavar="OBJECT", help='The arguments by name: {"to": "ann"}.')
@click.option("--task", help="The task's name, where tasks share the queue.")
@click.option("--id", "job_id", help="The job's id; a job that has it already is replaced.")
@click.option(
    "--delay",
    type=click.FloatRange(0, LONGEST_DELAY),
    default=0.0,
    help="Seconds until the jobs are due.",
)
@pass_settings
def enqueue(
    settings: Settings,
    /,
    *,
    queue: str,
    arguments: tuple[str, ...],
    text: str | None,
    task: str | None,
    job_id: str | None,
    delay: float,
) -> None:
    """Put jobs into QUEUE.

    \b
    work enqueue send --json '{"to": "ann"}'   one job; prints its id
    work enqueue commands -- ls -l             one job whose args are ["ls", "-l"]
    work enqueue send < jobs.ndjson            one job per line, each an object

    A line that is no object is named with its number; the others are enqueued, and the exit
    code is 1.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    _refuse_mistakes(arguments, text, job_id)
    with App(config=settings.config) as app:
        target = app.queue(settings.queue(queue).queue_id)
        make = _maker(job_id, delay)
        if text is None and not arguments:
            enqueue_lines(target, sys.stdin.buffer, make, task)
            return
        payload = (
            payload_of_arguments(arguments, task) if text is None else payload_of_json(text, task)
        )
        done = target.enqueue(make(payload))
        click.echo(done.id)
        if done.job is None:
            click.echo("work: a middleware dropped the job as a duplicate", err=True)


def _refuse_mistakes(arguments: tuple[str, ...], text: str | None, job_id: str | None) -> None:
    if text is not None and arguments:
        raise click.UsageError("give --json or arguments, not both")
    if job_id == "":
        raise click.UsageError("--id must not be empty; leave it out to get one")
    if text is None and not arguments:
        if job_id is not None:
            raise click.UsageError("--id is for one job; give its arguments or --json too")
        if sys.stdin.isatty():
            raise click.UsageError(
                "no arguments; give --json OBJECT, or words after --, or lines on standard input"
            )


def _maker(job_id: str | None, delay: float) -> Callable[[bytes], Job]:
    def make(payload: bytes) -> Job:
        now = utc_now()
        return Job(payload, job_id or new_id(), now, now, now + timedelta(seconds=delay))

    return make
