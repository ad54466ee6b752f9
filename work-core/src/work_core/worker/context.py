"""The job that runs here and now, for code that the handler calls."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from work_core.errors import WorkError

if TYPE_CHECKING:
    from work_core.job import Job
    from work_core.middleware import HandleContext

running: ContextVar[tuple[Job, HandleContext]] = ContextVar("work_running")


def current_job() -> Job:
    """Return the job whose handler calls this.

    Raises:
        WorkError: outside a handler.
    """
    return _current()[0]


def current_context() -> HandleContext:
    """Return the context of the job whose handler calls this: its attempt, deadline and lease.

    Raises:
        WorkError: outside a handler.
    """
    return _current()[1]


def _current() -> tuple[Job, HandleContext]:
    try:
        return running.get()
    except LookupError:
        raise WorkError("no job runs here; call this from a handler in a worker") from None
