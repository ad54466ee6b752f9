"""The job: one unit of work and what is known about it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero time, which stands for *unknown*; a nil time would kill a Go worker."""

_RANDOM_BITS = (1 << 62) - 1
_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)
_last_tick = 0


def new_id() -> str:
    """Return a UUIDv7 that sorts after every earlier one of this process.

    The first 60 bits are the wall clock in steps of 1/4096 ms, the last 62 are random, so that ids of
    equal due times come out in the order in which they were made.
    """
    global _last_tick  # noqa: PLW0603 - a lock would cost more than the id
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    tick = milliseconds << 12 | (rest << 12) // 1_000_000
    if tick <= _last_tick:
        tick = _last_tick + 1
    _last_tick = tick
    random = int.from_bytes(os.urandom(8)) & _RANDOM_BITS
    number = (tick >> 12) << 80 | _VERSION_AND_VARIANT | (tick & 0xFFF) << 64 | random
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def utc_now() -> datetime:
    """Return the current time as an aware UTC datetime."""
    return datetime.now(UTC)


class QueueName(NamedTuple):
    """The address of a queue: a queue id within a namespace."""

    namespace: str
    queue_id: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.queue_id}"


class Lease(NamedTuple):
    """The right to run a job until *until*.

    Attributes:
        until: when the backend may hand the job to somebody else (aware UTC).
        token: what the backend recognises the holder by; opaque, and the same after ``extend``, so
            that an ack racing with an extension is still the holder's.
    """

    until: datetime
    token: object


@dataclass(slots=True)
class Job:
    """One unit of work.

    All times are aware UTC datetimes with microsecond resolution.

    Attributes:
        payload: the arguments, as the codec or the caller encoded them.
        id: unique within the namespace; a UUIDv7 unless the caller chose one.
        created_at: when the job was made.
        updated_at: when its retries or error last changed.
        enqueued_at: when the job is due.
        retries: how often the handler has failed.
        last_error: the text of the last failure, or an empty string.
        deliveries: how often the job was leased since it was last enqueued or rescheduled: 1 in a
            healthy life, more when a holder vanished. Set by ``dequeue``.
        lease: the right to run the job; only on a job that came from ``dequeue``.
    """

    payload: bytes = b""
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = ZERO_TIME
    enqueued_at: datetime = ZERO_TIME
    retries: int = 0
    last_error: str = ""
    deliveries: int = 0
    lease: Lease | None = None

    def __post_init__(self) -> None:
        if self.updated_at is ZERO_TIME:
            self.updated_at = self.created_at
        if self.enqueued_at is ZERO_TIME:
            self.enqueued_at = self.created_at
