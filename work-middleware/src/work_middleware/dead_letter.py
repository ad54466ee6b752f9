"""The record of a job that was given up."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from work_core.codec import decode_payload, encode_payload
from work_core.errors import Discard, InvalidPayload
from work_core.job import Job, QueueName, utc_now
from work_core.retry import error_text
from work_middleware.recovery import storable

if TYPE_CHECKING:
    from datetime import datetime

SUFFIX = ":dead"
"""What the id of a queue's dead queue ends in."""

TRACEBACK_LIMIT = 8000
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up, and why.

    Attributes:
        id: the job's own id.
        queue: the id of the queue that it came from.
        task: the name of its task.
        payload: its arguments, as they were.
        reason: why it was given up.
        error: the last error.
        traceback: where that error came from; its end, if it is long.
        history: the error text that the job carried from earlier attempts.
        retries: how often it had failed before.
        deliveries: how often it was delivered since its last failure.
        created_at: when it was made.
        died_at: when it was given up.
    """

    id: str
    queue: str
    task: str
    payload: bytes
    reason: str
    error: str
    traceback: str
    history: str
    retries: int
    deliveries: int
    created_at: datetime
    died_at: datetime

    @classmethod
    def of(cls, job: Job, queue: QueueName, task: str, discard: Discard) -> DeadLetter:
        """Return the letter for *job*, which *discard* gives up."""
        cause = discard.__cause__ or discard
        trace = storable("".join(traceback.format_exception(discard)))
        return cls(
            job.id,
            queue.queue_id,
            task,
            job.payload,
            storable(str(discard)),
            error_text(cause),
            trace[-TRACEBACK_LIMIT:],
            job.last_error,
            job.retries,
            job.deliveries,
            job.created_at,
            utc_now(),
        )

    @classmethod
    def from_job(cls, stored: Job) -> DeadLetter:
        """Read the letter that the job *stored* of a dead queue carries.

        Raises:
            InvalidPayload: when it is no letter.
        """
        try:
            return cls(**decode_payload(stored.payload))
        except TypeError as error:
            raise InvalidPayload(f"job {stored.id!r} is no dead letter: {error}") from error

    def to_job(self) -> Job:
        """Return the job that carries this letter in the dead queue, under an id of its own."""
        return Job(
            payload=encode_payload(asdict(self)),
            id=letter_id(self.id),
            created_at=self.died_at,
            last_error=self.error,
        )

    def shortened(self) -> DeadLetter:
        """Return the letter without traceback and history, for a store with a small limit."""
        return replace(self, traceback="", history="")

    def revived(self) -> Job:
        """Return the job for a new life: same id and payload, no failures, due now."""
        return Job(payload=self.payload, id=self.id)

    def arguments(self) -> Any:
        """Return the decoded payload, or the bytes where it is no msgpack."""
        try:
            return decode_payload(self.payload) if self.payload else {}
        except InvalidPayload:
            return self.payload


def dead_queue(queue: QueueName) -> QueueName:
    """Return the dead queue of *queue*."""
    return QueueName(queue.namespace, queue.queue_id + SUFFIX)


def letter_id(job_id: str) -> str:
    """Return the id of the letter for *job_id*: always the same, so that a job has but one."""
    if len(job_id) + len("dead:") > _LONGEST_ID:
        return f"dead:{hashlib.sha256(job_id.encode(errors='surrogateescape')).hexdigest()}"
    return f"dead:{job_id}"
