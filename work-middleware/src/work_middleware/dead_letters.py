"""Keep the jobs that are given up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from work_core.errors import Discard, PayloadTooLarge
from work_core.hookspecs import hookimpl
from work_middleware.dead_letter import SUFFIX, DeadLetter, dead_queue

if TYPE_CHECKING:
    from collections.abc import Generator

    from work_core.job import Job
    from work_core.middleware import HandleContext

logger = logging.getLogger("work")


class DeadLetters:
    """Move a job that is discarded into the queue ``<queue>:dead``, with its error and history.

    The letter is stored before the job is acked. When it cannot be stored the job stays, and is
    tried again: nothing is lost. A job that dies twice, because the ack got lost, leaves one
    letter. Works on every backend. Dead letters stay until ``work dead replay`` or ``work dead
    purge`` takes them away; ``work dead list`` and ``work dead show`` display them.

    It surrounds the other middleware wherever it stands in the list, so that it sees every
    discard. In ``work.toml``::

        plugins = [{ name = "max-retries", limit = 25 }, "dead-letters"]
    """

    @hookimpl(wrapper=True, tryfirst=True)
    def work_handle(self, job: Job, context: HandleContext) -> Generator[None, object, object]:
        """Store the letter of a job that is discarded."""
        try:
            return (yield)
        except Discard as discard:
            # Nothing is discarded by one who has lost the lease, and dead letters do not die again.
            if not context.lease_lost and not context.queue.queue_id.endswith(SUFFIX):
                _bury(job, context, discard)
            raise


def _bury(job: Job, context: HandleContext, discard: Discard) -> None:
    letter = DeadLetter.of(job, context.queue, context.task, discard)
    queue = dead_queue(context.queue)
    try:
        try:
            context.backend.enqueue(queue, [letter.to_job()])
        except PayloadTooLarge:
            context.backend.enqueue(queue, [letter.shortened().to_job()])
    except Exception as error:
        logger.error(  # noqa: TRY400 - the worker reports the failed run
            "job %s of %s is not discarded, because its dead letter cannot be stored: %s",
            job.id,
            context.queue,
            error,
        )
        raise
