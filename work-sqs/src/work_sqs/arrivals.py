"""Turn received messages into leased jobs.

Those that are not due yet hop on, and those that are no job are set aside.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from work_core.errors import InvalidRecord, WorkError
from work_core.job import Lease
from work_sqs.leases import State
from work_sqs.limits import VISIBILITY
from work_sqs.message import Outgoing, decode_body, delay_seconds
from work_sqs.schedule import Hop, choose_hop, deliveries, longest_extension
from work_sqs.sending import send

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from work_core.job import Job
    from work_sqs.connection import Connection
    from work_sqs.inbox import Message
    from work_sqs.leases import Leases, Receipt
    from work_sqs.queues import QueueInfo

logger = logging.getLogger("work.sqs")

PATIENCE: Final = 0.1
"""Seconds for which a job that is nearly due is kept.

The clocks of two machines differ a little, and hiding it again costs two requests and a second.
"""


class Arrivals(NamedTuple):
    """The messages of a receive, sorted.

    Attributes:
        due: leased jobs.
        early: jobs that are not due yet.
        invalid: messages that are no job, each with the reason.
    """

    due: list[Job]
    early: list[tuple[Job, Message]]
    invalid: list[tuple[Message, InvalidRecord]]


def sort_out(
    messages: Sequence[Message], leases: Leases, *, now: datetime, lease: float, in_place: bool
) -> Arrivals:
    """Decode *messages* and lease those that are due, or so nearly that the caller waits for them.

    *in_place* says that retries only hide a message, so that their number is in the receive count.
    """
    arrivals = Arrivals([], [], [])
    soon = now + timedelta(seconds=PATIENCE)
    until = now + timedelta(seconds=min(lease, VISIBILITY))
    for message in messages:
        try:
            job = decode_body(message.body)
        except InvalidRecord as error:
            arrivals.invalid.append((message, error))
            continue
        if job.enqueued_at > soon:
            arrivals.early.append((job, message))
            continue
        job.deliveries = deliveries(
            message.receive_count,
            sent=message.sent,
            first_received=message.first_received,
            due=job.enqueued_at,
        )
        if in_place:
            job.retries = max(job.retries, job.deliveries - 1)
        if leases.add(message.id, job.id, message.receipt):
            job.lease = Lease(until, message.receipt)
            arrivals.due.append(job)
    return arrivals


def hop(
    connection: Connection,
    info: QueueInfo,
    early: Sequence[tuple[Job, Message]],
) -> None:
    """Make jobs that are not due yet wait on; one that cannot comes out again after its lease."""
    resend = connection.settings.schedule == "resend" or info.max_receives > 0
    hide: list[tuple[Receipt, int]] = []
    again: list[tuple[Outgoing, Receipt]] = []
    now = connection.clock()
    for job, message in early:
        remaining = (job.enqueued_at - now).total_seconds()
        longest = longest_extension(message.receipt.received, now)
        if choose_hop(remaining, longest, resend=resend, fifo=info.fifo) is Hop.HIDE:
            hide.append((message.receipt, min(ceil(remaining), longest)))
        else:
            delay = delay_seconds(job.enqueued_at, now)
            again.append((Outgoing(job, message.body, delay), message.receipt))
    try:
        refused = connection.change_visibility(info, hide)
        for failure in refused.values():
            logger.warning("a job of queue %s that is not due: %s", info.name, failure.reason)
        replace(connection, info, again)
    except WorkError as error:
        logger.warning("jobs of queue %s that are not due come again: %s", info.name, error)


def replace(
    connection: Connection, info: QueueInfo, messages: Sequence[tuple[Outgoing, Receipt]]
) -> None:
    """Send each message, then delete the one it stands for.

    In this order a crash in between leaves a duplicate and never loses a job.

    Raises:
        EnqueueFailed: when some could not be sent; their old messages stay.
    """
    if not messages:
        return
    sent = send(connection, info, [message for message, _ in messages])
    failed = {id(job) for job, _ in sent.failed}
    old = [receipt for message, receipt in messages if id(message.job) not in failed]
    if old:
        refused = connection.delete(info, old)
        for receipt in old:
            receipt.state = State.LOST
        for failure in refused.values():
            logger.warning(
                "queue %s kept a job beside its newer copy, it may run twice: %s",
                info.name,
                failure.reason,
            )
    sent.check(info)


def set_aside(connection: Connection, info: QueueInfo, message: Message) -> None:
    """Move *message* to the queue for undecodable ones, or hide it as long as SQS can."""
    try:
        url = connection.queues.set_aside(info)
        connection.client.call("send_message", info.name, QueueUrl=url, MessageBody=message.body)
        connection.delete(info, [message.receipt])
    except WorkError as error:
        logger.warning(
            "a message of queue %s that is no job could not be set aside, so it is hidden for "
            "12 hours: %s",
            info.name,
            error,
        )
        longest = longest_extension(message.receipt.received, connection.clock())
        connection.change_visibility(info, [(message.receipt, longest)])
