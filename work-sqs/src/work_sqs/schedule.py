"""Time in SQS: how long a message may be hidden, and what a received one has been through.

A new message is hidden for 15 minutes at most. A job due later comes out early, is not run, and
hops: it is hidden again where it is, or sent anew.
"""

from __future__ import annotations

from enum import Enum
from math import ceil
from typing import TYPE_CHECKING, Final

from work_sqs.limits import DELAY, VISIBILITY

if TYPE_CHECKING:
    from datetime import datetime

_MARGIN: Final = 1
"""Seconds kept from the limit: the service counts from its receive, which came before ours."""


class Hop(Enum):
    """What to do with a message that came out before its job is due."""

    HIDE = "hide"
    RESEND = "resend"


def visibility_seconds(seconds: float) -> int:
    """Return *seconds* as the timeout of a receive; 0 would hand the message out again at once."""
    return min(max(ceil(seconds), 1), VISIBILITY)


def longest_extension(received: datetime, now: datetime) -> int:
    """Return for how many more seconds a message can be hidden under the 12-hour rule."""
    elapsed = ceil((now - received).total_seconds())
    return max(VISIBILITY - max(elapsed, 0) - _MARGIN, 0)


def choose_hop(remaining: float, longest: int, *, resend: bool, fifo: bool) -> Hop:
    """Choose how a job waits that is due in *remaining* seconds.

    Hiding costs one request for up to 12 hours. Sending anew costs two every 15 minutes, but starts
    the receive count and the retention again. A FIFO queue cannot delay a single message.
    """
    if fifo:
        return Hop.HIDE
    if resend or ceil(remaining) > longest:
        return Hop.RESEND
    return Hop.HIDE


def deliveries(
    receive_count: int, *, sent: datetime, first_received: datetime, due: datetime
) -> int:
    """Return how often a due job was handed out, which is its receive count without the hop.

    A job due beyond the delay of a new message hops once, at its first receive: a hop that sends
    anew starts the count again.
    """
    hopped = (due - sent).total_seconds() > DELAY and first_received < due
    return max(receive_count - hopped, 1)
