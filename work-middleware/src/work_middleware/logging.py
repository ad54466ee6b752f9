"""One log record per job, with fields."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

from work_core.errors import ConfigError, Discard, LeaveLeased, Snooze
from work_core.hookspecs import hookimpl
from work_core.retry import error_text
from work_middleware.options import text

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core.job import Job
    from work_core.middleware import EnqueueBatch, HandleContext

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Logging:
    """Log the end of each run, and each enqueue, with the standard library's ``logging``.

    A failure that is retried is a WARNING and a discarded job an ERROR, both with traceback; a
    failed enqueue is an ERROR; everything else has the level *success*. The records carry ``job``,
    ``queue``, ``namespace``, ``task``, ``attempt``, ``duration`` (seconds) and ``error`` as
    attributes, which structlog's ``ExtraAdder`` and every JSON formatter turn into fields. Records
    below the level of *logger* cost one look. It surrounds everything else, wherever it stands in
    the list, so that it sees what becomes of a job. In ``work.toml``::

        plugins = [{ name = "logging", success = "INFO" }]
    """

    def __init__(self, success: str = "DEBUG", logger: str = "work.jobs") -> None:
        if success not in _LEVELS:
            raise ConfigError(f"success must be one of {', '.join(_LEVELS)}, not {success!r}")
        self.success: int = getattr(logging, success)
        self._logger = logging.getLogger(text("logger", logger))
        self._is_enabled_for = self._logger.isEnabledFor

    @hookimpl(wrapper=True, tryfirst=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Log how the run ended."""
        began = perf_counter()
        try:
            result = yield
        except (Exception, SystemExit) as error:
            self._log_failure(job, context, perf_counter() - began, error)
            raise
        if self._is_enabled_for(self.success):
            self._log(self.success, "done", job, context, perf_counter() - began)
        return result

    @hookimpl(wrapper=True, tryfirst=True)
    def work_enqueue(self, batch: EnqueueBatch) -> Generator[None, list[Job], list[Job]]:
        """Log what was enqueued, what was not, and what was a duplicate."""
        try:
            stored = yield
        except Exception as error:
            self._logger.error(  # noqa: TRY400 - the caller gets the traceback
                "%d jobs of %s not enqueued: %s",
                len(batch.jobs),
                batch.queue,
                error,
                extra={
                    **batch.queue._asdict(),
                    "queue": batch.queue.queue_id,
                    "error": repr(error),
                },
            )
            raise
        if self._is_enabled_for(self.success):
            self._log_enqueued(batch, stored)
        return stored

    def _log_failure(
        self, job: Job, context: HandleContext, duration: float, error: BaseException
    ) -> None:
        context.reported = True
        if isinstance(error, Discard):
            level, what = logging.ERROR, "discarded"
        elif isinstance(error, Snooze):
            level, what = self.success, "snoozed"
        elif isinstance(error, LeaveLeased):
            level, what = self.success, "left leased"
        else:
            level, what = logging.WARNING, "failed"
        if self._is_enabled_for(level):
            self._log(level, what, job, context, duration, error=error)

    def _log(
        self,
        level: int,
        what: str,
        job: Job,
        context: HandleContext,
        duration: float,
        *,
        error: BaseException | None = None,
    ) -> None:
        fields: dict[str, Any] = {
            "job": job.id,
            "queue": context.queue.queue_id,
            "namespace": context.queue.namespace,
            "task": context.task,
            "attempt": context.attempt,
            "duration": duration,
        }
        message = "job %s of %s %s after %.3f s (attempt %d)"
        values = [job.id, context.queue, what, duration, context.attempt]
        if error is not None:
            fields["error"] = error_text(error)
            message += ": %s"
            values.append(fields["error"])
        trace = error if level > self.success else None
        self._logger.log(level, message, *values, extra=fields, exc_info=trace)

    def _log_enqueued(self, batch: EnqueueBatch, stored: list[Job]) -> None:
        queue, namespace = batch.queue.queue_id, batch.queue.namespace
        for job in stored:
            fields = {
                "job": job.id,
                "queue": queue,
                "namespace": namespace,
                "enqueued_at": job.enqueued_at.isoformat(),
            }
            self._logger.log(
                self.success, "job %s enqueued into %s", job.id, batch.queue, extra=fields
            )
        for job_id, earlier in batch.duplicates.items():
            fields = {"job": job_id, "queue": queue, "namespace": namespace, "earlier": earlier}
            self._logger.log(
                self.success,
                "job %s for %s dropped, job %s stands for it",
                job_id,
                batch.queue,
                earlier,
                extra=fields,
            )
