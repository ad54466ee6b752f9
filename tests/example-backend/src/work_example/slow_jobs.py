"""A middleware: say which jobs are slow."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from work_core import hookimpl
from work_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core import HandleContext, Job

logger = logging.getLogger("work_example")


class SlowJobs:
    """Warn about every job that runs longer than *threshold* seconds."""

    def __init__(self, threshold: float = 10.0) -> None:
        if threshold <= 0:
            raise ConfigError(f"threshold must be more than 0 seconds, not {threshold}")
        self.threshold = threshold

    @hookimpl(wrapper=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Time the handler, whether it returns or raises."""
        start = time.monotonic()
        try:
            return (yield)
        finally:
            seconds = time.monotonic() - start
            if seconds > self.threshold:
                logger.warning("%s ran %.1f s (job %s)", context.task, seconds, job.id)
