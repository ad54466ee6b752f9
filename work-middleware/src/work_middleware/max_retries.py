"""Give up on a job that has failed, or taken its worker down, too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.errors import Discard, Signal
from work_core.hookspecs import hookimpl
from work_middleware.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core.job import Job
    from work_core.middleware import HandleContext


class MaxRetries:
    """Discard a job when it fails after *limit* retries; 0 allows one run and no retry.

    A delivery whose holder vanished counts as a failure too, so that a job which kills its worker
    cannot loop for ever: after more than *crashes* of them (default: *limit*) it is discarded
    without another run. A store cannot tell a job that killed its worker from one that merely
    waited in the same worker's buffer, or from one left leased on purpose: do not set *crashes*
    too low. In ``work.toml``::

        plugins = [{ name = "max-retries", limit = 25 }]
    """

    def __init__(self, limit: int = 25, crashes: int | None = None) -> None:
        self.limit = whole_number("limit", limit, least=0)
        self.crashes = limit if crashes is None else whole_number("crashes", crashes, least=0)

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:  # noqa: ARG002 - taking all arguments is the fastest
        """Turn the failure that is one too many into ``Discard``."""
        vanished = job.deliveries - 1
        if vanished > 0 and (vanished > self.crashes or vanished + job.retries > self.limit):
            raise Discard(
                f"delivered {job.deliveries} times without an outcome, after {job.retries} failures"
            )
        try:
            return (yield)
        except Signal:
            raise
        except (Exception, SystemExit) as error:
            if job.retries + max(vanished, 0) >= self.limit:
                raise Discard(f"failed with {self.limit} retries spent") from error
            raise
