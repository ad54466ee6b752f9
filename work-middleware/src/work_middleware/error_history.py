"""Keep what went wrong in every attempt, not only in the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.errors import Signal
from work_core.hookspecs import hookimpl
from work_core.retry import LAST_ERROR_LIMIT, Decision
from work_middleware.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core.job import Job
    from work_core.middleware import HandleContext
    from work_core.retry import Outcome

_MARK = "\n--- "


class ErrorHistory:
    """Keep the errors of the last *keep* failures in ``last_error``, the newest first.

    The job's record is shared with the Go library and has one field for errors, so that is where
    they go: the newest error as always, then each earlier one below a line ``--- failure N at
    TIME:``. The whole is cut at the core's limit of 4096 characters, the oldest first. Dead
    letters keep it. In ``work.toml``::

        plugins = [{ name = "error-history", keep = 10 }]
    """

    def __init__(self, keep: int = 10) -> None:
        self.keep = whole_number("keep", keep, least=1)
        self._earlier: dict[int, str] = {}

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Remember the earlier errors, which the worker is about to overwrite."""
        try:
            return (yield)
        except Signal:
            raise
        except (Exception, SystemExit):
            if job.last_error:
                self._earlier[id(context)] = _headed(job)
            raise

    @hookimpl(trylast=True)
    def work_job_finished(self, job: Job, outcome: Outcome, context: HandleContext) -> None:
        """Put the earlier errors below the new one."""
        earlier = self._earlier.pop(id(context), None)
        if earlier is None or outcome.decision is not Decision.RETRY:
            return
        errors = split_history(job.last_error + earlier)[: self.keep]
        job.last_error = _MARK.join(errors)[:LAST_ERROR_LIMIT]


def split_history(last_error: str) -> list[str]:
    """Return the errors in *last_error*, the newest first; each earlier one with its heading."""
    return last_error.split(_MARK) if last_error else []


def _headed(job: Job) -> str:
    when = job.updated_at.isoformat(timespec="seconds")
    return f"{_MARK}failure {job.retries} at {when}: {job.last_error}"
