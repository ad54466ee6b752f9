"""A job as a message: its body, its delay, and how messages are packed into requests."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING

from work_core.codec import decode_job, encode_job
from work_core.errors import InvalidRecord, PayloadTooLarge
from work_sqs.limits import BATCH, BATCH_BYTES, DELAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from work_core.job import Job


@dataclass(slots=True)
class Outgoing:
    """A job with its message body, ready to be sent."""

    job: Job
    body: str
    delay: int


def encode_body(job: Job, limit: int = BATCH_BYTES) -> str:
    """Return the record of *job* in base64, for a body must be text.

    Raises:
        PayloadTooLarge: when it has more than *limit* bytes.
    """
    record = encode_job(job)
    body = b64encode(record)
    if len(body) > limit:
        raise PayloadTooLarge(
            f"job {job.id!r} makes a message of {len(body):,} bytes ({len(record):,} in base64) "
            f"and the queue takes {limit:,}: {len(body) - limit:,} too many; keep large data "
            "elsewhere and put its address into the payload"
        )
    return body.decode("ascii")


def decode_body(body: str) -> Job:
    """Return the job in *body*.

    Raises:
        InvalidRecord: when it is no job.
    """
    try:
        record = b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRecord(
            f"the message body is not base64 ({error})", record=body.encode(errors="replace")
        ) from error
    job = decode_job(record)
    if not job.id:
        raise InvalidRecord("the job has no id", record=record)
    return job


def delay_seconds(due: datetime, now: datetime) -> int:
    """Return for how long to hide a new message: never so short that it comes early."""
    return min(max(ceil((due - now).total_seconds()), 0), DELAY)


def deduplication_id(job: Job) -> str:
    """Return what a FIFO queue recognises a repeated send by; a retry of a job is no repetition."""
    text = f"{job.id}\0{job.retries}\0{job.enqueued_at.isoformat()}"
    return sha256(text.encode(errors="surrogateescape")).hexdigest()


def pack(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Yield *messages* in lists that fit into one request, by count and by bytes."""
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        length = len(message.body)
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch
