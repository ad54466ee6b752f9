"""Send jobs as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from work_core.errors import BackendError, EnqueueFailed
from work_sqs.batches import Failure, send_batch
from work_sqs.message import deduplication_id, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_core.job import Job
    from work_sqs.connection import Connection
    from work_sqs.message import Outgoing
    from work_sqs.queues import QueueInfo

_GROUP = "work"


class Sent(NamedTuple):
    """What became of the jobs of a call.

    Attributes:
        stored: those that SQS has.
        failed: the others, each with its reason.
        error: what the first request that failed as a whole raised.
    """

    stored: list[Job]
    failed: list[tuple[Job, str]]
    error: BackendError | None

    def check(self, info: QueueInfo) -> None:
        """Raise what a caller must know, if anything failed."""
        if not self.failed:
            return
        if self.error is not None and not self.stored:
            raise self.error
        total = len(self.failed) + len(self.stored)
        raise EnqueueFailed(
            f"queue {info.name} has taken {len(self.stored)} of {total} jobs; the first of the "
            f"others, {self.failed[0][0].id!r}: {self.failed[0][1]}",
            stored=self.stored,
            failed=self.failed,
        ) from self.error


def send(connection: Connection, info: QueueInfo, messages: Sequence[Outgoing]) -> Sent:
    """Send *messages*, several requests at a time, and tell what became of each job."""
    sent = Sent([], [], None)
    batches = list(pack(messages))
    # Order is what a FIFO queue is for: one request after the other.
    in_order = info.fifo or not batches
    results = (
        (_send(connection, info, batch) for batch in batches)
        if in_order
        else connection.map(lambda batch: _send(connection, info, batch), batches)
    )
    for batch, (failures, error) in zip(batches, results, strict=True):
        for position, message in enumerate(batch):
            failure = failures.get(position)
            if failure is None:
                sent.stored.append(message.job)
            else:
                sent.failed.append((message.job, failure.reason))
        sent = sent._replace(error=sent.error or error)
    return sent


def refuse_future(messages: Sequence[Outgoing], info: QueueInfo) -> None:
    """Raise when a FIFO queue was asked to hide one of *messages*, which it cannot."""
    late = next((message.job for message in messages if message.delay > 1), None)
    if late is not None:
        raise BackendError(
            f"job {late.id!r} is due at {late.enqueued_at.isoformat()}, and the FIFO queue "
            f"{info.name} cannot delay a single message; enqueue it when it is due, or use a "
            "standard queue"
        )


def _send(
    connection: Connection, info: QueueInfo, batch: list[Outgoing]
) -> tuple[dict[int, Failure], BackendError | None]:
    entries = [_entry(connection, info, message) for message in batch]
    try:
        failures = send_batch(connection.client, "send_message_batch", info.name, info.url, entries)
    except BackendError as error:
        failure = Failure("", str(error), permanent=False)
        return dict.fromkeys(range(len(batch)), failure), error
    return failures, None


def _entry(connection: Connection, info: QueueInfo, message: Outgoing) -> dict[str, Any]:
    if not info.fifo:
        return {"MessageBody": message.body, "DelaySeconds": message.delay}
    identity = deduplication_id(message.job)
    return {
        "MessageBody": message.body,
        "MessageGroupId": identity if connection.settings.group == "job" else _GROUP,
        "MessageDeduplicationId": identity,
    }
