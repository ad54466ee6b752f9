"""Give up on a job that fails when it has become too old to matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.errors import Discard, LeaveLeased
from work_core.hookspecs import hookimpl
from work_core.job import utc_now
from work_middleware.options import flag, seconds

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core.job import Job


class DiscardAfter:
    """Discard a job that fails, or snoozes, more than *age* seconds after it was created.

    With *skip_stale* a job that is too old already is discarded before its handler runs; without
    it, as in Go, an old job gets its one run. In ``work.toml``::

        plugins = [{ name = "discard-after", age = 86400 }]
    """

    def __init__(self, age: float, skip_stale: bool = False) -> None:
        self.age = seconds("age", age)
        self.skip_stale = flag("skip_stale", skip_stale)

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job) -> Generator[None, object, object]:
        """Turn the failure of a stale job into ``Discard``."""
        if self.skip_stale and self._is_stale(job):
            raise Discard(f"not started within {self.age:g} s")
        try:
            return (yield)
        except (Discard, LeaveLeased):
            raise
        except (Exception, SystemExit) as error:
            if self._is_stale(job):
                raise Discard(f"failed when older than {self.age:g} s") from error
            raise

    def _is_stale(self, job: Job) -> bool:
        return (utc_now() - job.created_at).total_seconds() > self.age
