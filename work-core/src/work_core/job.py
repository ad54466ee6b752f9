"""The job: one unit of work and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import urandom
from time import time_ns
from typing import NamedTuple

ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero time, which stands for *unknown*; a nil time would kill a Go worker."""

_NOT_GIVEN = datetime(1, 1, 1, tzinfo=UTC)

_last_tick = 0


def new_id() -> str:
    """Return a UUIDv7 that sorts after every earlier one of this process.

    Its first 60 bits are the wall clock in steps of 1/4096 ms and its last 60 are random, so that
    ids of equal due times come out in the order in which they were made.
    """
    global _last_tick  # noqa: PLW0603 - a lock would cost more than the id
    tick = (time_ns() << 12) // 1_000_000
    if tick <= _last_tick:
        tick = _last_tick + 1
    _last_tick = tick
    clock = f"{tick:015x}"
    # Not `random`: a program that seeds it in each of its processes would make the same ids there.
    random = urandom(8).hex()
    return f"{clock[:8]}-{clock[8:12]}-7{clock[12:]}-8{random[:3]}-{random[3:15]}"


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
        updated_at: when it last failed or was put back; ``created_at`` until then.
        enqueued_at: when the job is due; ``created_at`` unless the caller chose a time.
        retries: how often the handler has failed.
        last_error: the text of the last failure, or an empty string.
        deliveries: how often the job was leased since it was last enqueued or rescheduled: 1 in a
            healthy life, more when a holder vanished. Set by ``dequeue``.
        lease: the right to run the job; only on a job that came from ``dequeue``.
    """

    payload: bytes = b""
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = _NOT_GIVEN
    enqueued_at: datetime = _NOT_GIVEN
    retries: int = 0
    last_error: str = ""
    deliveries: int = 0
    lease: Lease | None = None

    def __post_init__(self) -> None:
        if self.updated_at is _NOT_GIVEN:
            self.updated_at = self.created_at
        if self.enqueued_at is _NOT_GIVEN:
            self.enqueued_at = self.created_at
