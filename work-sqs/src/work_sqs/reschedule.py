"""Give leased jobs back: sent anew with their fields as they are now, or hidden where they are."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from work_sqs.arrivals import replace
from work_sqs.leases import State
from work_sqs.message import Outgoing, delay_seconds, encode_body
from work_sqs.schedule import longest_extension

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from work_core.job import Job
    from work_sqs.connection import Connection
    from work_sqs.leases import Leases, Receipt
    from work_sqs.queues import QueueInfo

NOT_IN_FLIGHT: Final = "MessageNotInflight"
"""The code for a message that is visible: its lease is over, and nobody else has one."""

_FENCE: Final = 60


def outgoing(job: Job, info: QueueInfo, now: datetime) -> Outgoing:
    """Return *job* ready to be sent to the queue.

    Raises:
        PayloadTooLarge: when the queue does not take a message of that size.
    """
    return Outgoing(job, encode_body(job, info.max_bytes), delay_seconds(job.enqueued_at, now))


def hide(connection: Connection, info: QueueInfo, leases: Leases, jobs: Sequence[Job]) -> list[Job]:
    """Hide the messages of *jobs* until they are due, and return the jobs whose lease was lost."""
    now = connection.clock()
    changes = []
    for job in jobs:
        receipt = leases.held(job)
        if receipt is not None:
            seconds = max(ceil((job.enqueued_at - now).total_seconds()), 0)
            changes.append((receipt, min(seconds, longest_extension(receipt.received, now))))
    refused = connection.change_visibility(info, changes)
    hidden = {receipt for receipt, _ in changes if receipt not in refused}
    for receipt in hidden:
        receipt.state = State.LOST
    return [job for job in jobs if job.lease is None or job.lease.token not in hidden]


def resend(
    connection: Connection, info: QueueInfo, leases: Leases, jobs: Sequence[Job]
) -> list[Job]:
    """Send *jobs* anew and delete their messages, and return the jobs whose lease was lost."""
    now = connection.clock()
    messages = [
        (outgoing(job, info, now), receipt)
        for job in jobs
        if (receipt := leases.held(job)) is not None
    ]
    lost = _lost(connection, info, [receipt for _, receipt in messages])
    kept = [(message, receipt) for message, receipt in messages if receipt not in lost]
    replace(connection, info, kept)
    given_back = {id(message.job) for message, _ in kept}
    return [job for job in jobs if id(job) not in given_back]


def _lost(connection: Connection, info: QueueInfo, receipts: Sequence[Receipt]) -> set[Receipt]:
    """Return those of *receipts* that hold nothing any more.

    Within its time a lease is this process's own, so only those that are over are asked about:
    hiding such a message again fails when it is gone.
    """
    now = connection.clock()
    doubtful = [(receipt, _FENCE) for receipt in receipts if receipt.expires <= now]
    refused = connection.change_visibility(info, doubtful)
    return {receipt for receipt, failure in refused.items() if failure.code != NOT_IN_FLIGHT}
