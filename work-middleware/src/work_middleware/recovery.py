"""Keep the traceback of a failure with the job."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from work_core.hookspecs import hookimpl
from work_core.retry import LAST_ERROR_LIMIT, Decision
from work_middleware.options import whole_number

if TYPE_CHECKING:
    from work_core.job import Job
    from work_core.retry import Outcome


class Recovery:
    """Store the innermost part of the traceback below the error in ``last_error``.

    Surviving what handlers raise is the worker's own business, unlike in Go. The whole text has at
    most *limit* characters, which travel with every fetch of the job. In ``work.toml``::

        plugins = [{ name = "recovery", limit = 2000 }]
    """

    def __init__(self, limit: int = LAST_ERROR_LIMIT) -> None:
        self.limit = min(whole_number("limit", limit, least=100), LAST_ERROR_LIMIT)

    @hookimpl(tryfirst=True)
    def work_job_finished(self, job: Job, outcome: Outcome) -> None:
        """Add the traceback to the error that is about to be stored."""
        if outcome.decision is not Decision.RETRY or outcome.error is None:
            return
        frames = storable("".join(traceback.format_tb(outcome.error.__traceback__)).rstrip())
        room = self.limit - len(job.last_error) - 1
        if frames and room > 0:
            job.last_error = f"{job.last_error}\n{frames[-room:]}"


def storable(text: str) -> str:
    """Return *text* as every store can hold it: without NUL and lone surrogates."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
