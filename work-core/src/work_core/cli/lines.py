"""Enqueue one job per line of a stream: what is good is stored, what is not is named."""

from __future__ import annotations

import os
import stat
from typing import IO, TYPE_CHECKING

import click

from work_core.cli.payloads import payload_of_json
from work_core.cli.progress import Progress
from work_core.errors import BackendError, ConfigError, EnqueueFailed, PayloadTooLarge, WorkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.job import Job
    from work_core.queue import Queue

    Make = Callable[[bytes], Job]
    Numbered = list[tuple[int, bytes]]

CHUNK = 1 << 17
LONGEST_LINE = 1 << 26
NAMED = 20
"""How many bad lines are named one by one; the rest is counted."""


def enqueue_lines(queue: Queue, source: IO[bytes], make: Make, task: str | None = None) -> None:
    """Enqueue the JSON object of each line of *source*, as the lines come in.

    Raises:
        WorkError: at the end, when a line was refused; at once, when the store fails.
    """
    with Progress(_size(source)) as progress:
        lines = _Lines(queue, make, task, progress)
        for numbered, size in _read(source):
            lines.enqueue(numbered)
            progress.advance(size, lines.stored)
    lines.conclude()


class _Lines:
    def __init__(self, queue: Queue, make: Make, task: str | None, progress: Progress) -> None:
        self.stored = 0
        self._queue = queue
        self._make = make
        self._task = task
        self._progress = progress
        self._duplicates = 0
        self._refused = 0
        self._last = 0

    def enqueue(self, numbered: Numbered) -> None:
        """Enqueue the lines of one read in as few round trips as the store allows."""
        jobs: dict[str, tuple[int, Job]] = {}
        for number, line in numbered:
            try:
                job = self._make(payload_of_json(line, self._task))
            except ConfigError as error:
                self._refuse(number, str(error))
            else:
                jobs[job.id] = (number, job)
        if jobs:
            self._store(jobs)
        self._last = numbered[-1][0] if numbered else self._last

    def conclude(self) -> None:
        """Say what was done; fail when a line was refused."""
        dropped = f", {self._duplicates} dropped as duplicates" if self._duplicates else ""
        click.echo(f"enqueued {_count(self.stored, 'job')}{dropped}")
        if self._refused:
            raise WorkError(f"{_count(self._refused, 'line')} refused; the others are enqueued")
        if not self.stored and not self._duplicates:
            raise ConfigError("standard input was empty; a job without arguments is: --json '{}'")

    def _store(self, jobs: dict[str, tuple[int, Job]]) -> None:
        try:
            self._send([job for _, job in jobs.values()])
        except EnqueueFailed as error:
            self.stored += len(error.stored)
            for job, reason in error.failed:
                self._refuse(jobs[job.id][0], reason)
        except PayloadTooLarge as error:
            if len(jobs) == 1:
                self._refuse(next(iter(jobs.values()))[0], str(error))
                return
            # Nothing was stored: find the one, without losing its neighbours.
            for job_id, numbered in jobs.items():
                self._store({job_id: numbered})
        except BackendError as error:
            done = f"lines 1 to {self._last} are done" if self._last else "nothing is enqueued"
            raise WorkError(f"stopped, {done}: {error}") from error

    def _send(self, jobs: list[Job]) -> None:
        results = self._queue.enqueue_many(jobs)
        kept = sum(result.job is not None for result in results)
        self.stored += kept
        self._duplicates += len(results) - kept

    def _refuse(self, number: int, reason: str) -> None:
        self._refused += 1
        if self._refused <= NAMED:
            self._progress.say(f"work: line {number}: {reason}")
        elif self._refused == NAMED + 1:
            self._progress.say("work: more lines are refused; only counting them from here on")


def _read(source: IO[bytes]) -> Iterator[tuple[Numbered, int]]:
    """Yield the complete lines of each read with their numbers, and the size of the read.

    A read returns what is there, so that the lines of a slow pipe do not wait for a full batch.
    """
    number, rest = 0, b""
    descriptor = source.fileno()
    while chunk := os.read(descriptor, CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        numbered = [(number + place, line) for place, line in enumerate(lines, 1) if line.strip()]
        number += len(lines)
        if len(rest) > LONGEST_LINE:
            raise ConfigError(f"line {number + 1} is longer than {LONGEST_LINE >> 20} MiB")
        yield numbered, len(chunk)
    if rest.strip():
        yield [(number + 1, rest)], 0


def _size(source: IO[bytes]) -> int | None:
    found = os.fstat(source.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
