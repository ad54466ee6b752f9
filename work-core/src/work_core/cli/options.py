"""What may be typed after ``work worker``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

_SIZE = re.compile(r"(\d+)\s*([KMG]?)(?:I?B)?", re.IGNORECASE)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """The arguments and options of ``work worker``; see its help.

    Attributes:
        line: the socket to the supervisor, in a child of one.
    """

    target: str
    queues: tuple[str, ...]
    concurrency: int | None
    processes: int
    drain: bool
    reload: bool
    metrics_port: int | None
    metrics_host: str
    max_jobs: int | None
    max_memory: int | None
    grace: float
    strict: bool
    line: int | None

    @property
    def supervised(self) -> bool:
        """Whether somebody has to start, watch or replace the worker."""
        return self.processes > 1 or self.reload or bool(self.max_jobs or self.max_memory)

    def child_arguments(self) -> list[str]:
        """Return what a child of the supervisor is called with."""
        arguments = ["worker", f"--grace={self.grace}"]
        arguments += [f"--queue={queue}" for queue in self.queues]
        if self.concurrency is not None:
            arguments.append(f"--concurrency={self.concurrency}")
        if self.drain:
            arguments.append("--drain")
        if self.strict:
            arguments.append("--strict")
        return [*arguments, self.target]


def size(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Convert an option like 512M or 2G to bytes."""
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f"{text!r} is no size; write 512M or 2G")
    return int(match[1]) << _SHIFTS[match[2].upper()]
