"""A job as a row: ids, text and integers that every dialect stores alike.

Times are microseconds since the epoch in a 64-bit integer: half the client CPU of timestamp
columns, and the same in every dialect.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from work_core.errors import BackendError, InvalidRecord
from work_core.job import Job, Lease, QueueName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Row: TypeAlias = tuple[Any, ...]
"""``COLUMNS`` of one job, in their order: rows sort by due time and id."""

Pair: TypeAlias = tuple[str, int]
"""A job's id and the token of the lease on it."""

COLUMNS = (
    "enqueued_at",
    "id",
    "created_at",
    "updated_at",
    "retries",
    "payload",
    "last_error",
    "deliveries",
)

LARGEST = (1 << 63) - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLOAT_IS_EXACT = 4 * 10**15  # up to the year 2096 a double holds every microsecond
_from_timestamp = datetime.fromtimestamp


def to_micros(moment: datetime) -> int:
    """Return *moment* as microseconds since the epoch."""
    since = moment - _EPOCH
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """Return microseconds since the epoch as an aware UTC datetime."""
    if 0 <= micros < _FLOAT_IS_EXACT:
        return _from_timestamp(micros / 1e6, UTC)
    return _EPOCH + timedelta(microseconds=micros)


def new_token() -> int:
    """Return a lease token that no other lease of any process has: 63 random bits, never 0."""
    return int.from_bytes(os.urandom(8)) >> 1 or 1


@lru_cache(maxsize=4096)
def queue_key(queue: QueueName) -> str:
    """Return the one text column that names *queue*; a namespace's queues share a prefix."""
    return namespace_prefix(queue.namespace) + queue.queue_id


def namespace_prefix(namespace: str) -> str:
    """Return what the keys of all queues of *namespace* start with, and no others."""
    escaped = namespace.replace("%", "%25").replace(":", "%3A").replace("!", "%21")
    return f"{escaped}:"


def set_aside_key(key: str) -> str:
    """Return the key under which undecodable records of queue *key* are kept."""
    return f"!{key}"


def to_rows(jobs: Sequence[Job]) -> list[Row]:
    """Return the rows of *jobs* in the order of their ids, the last of those that share one.

    The order keeps two producers that store the same ids from waiting for each other in a circle.

    Raises:
        BackendError: for a job that SQL text cannot carry, before anything was stored.
    """
    try:
        rows = {job.id: _to_row(job) for job in jobs}
    except (TypeError, AttributeError) as error:
        raise BackendError(f"a job cannot be stored: {error}; see the types of Job") from error
    return [rows[identity] for identity in sorted(rows)]


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return *rows* by due time and id, whatever else a broken row has in these columns."""
    try:
        return sorted(rows)
    except TypeError:
        return sorted(rows, key=lambda row: (str(row[0]), str(row[1])))


def to_pairs(jobs: Sequence[Job]) -> list[Pair]:
    """Return id and lease token of each job, in the order of the ids."""
    pairs = [(job.id, token_of(job)) for job in jobs]
    pairs.sort()
    return pairs


def token_of(job: Job) -> int:
    """Return the token of the job's lease, or one that no lease has."""
    lease = job.lease
    return lease.token if lease is not None and type(lease.token) is int else -1


def to_jobs(
    rows: Iterable[Row], lease: Lease | None, invalid: list[tuple[str, InvalidRecord]]
) -> list[Job]:
    """Return the jobs in *rows*; what cannot be decoded goes to *invalid* instead."""
    jobs: list[Job] = []
    for row in rows:
        due, identity, created, updated, retries, payload, last_error, deliveries = row
        try:
            due_at = from_micros(due)
            created_at = due_at if created == due else from_micros(created)
            updated_at = created_at if updated == created else from_micros(updated)
        except (TypeError, ValueError, OverflowError) as error:
            invalid.append((str(identity), InvalidRecord(f"a time of the row is wrong: {error}")))
            continue
        if type(payload) is not bytes or type(retries) is not int or type(last_error) is not str:
            invalid.append((str(identity), _wrong_column(row)))
            continue
        jobs.append(
            Job(
                payload,
                identity,
                created_at,
                updated_at,
                due_at,
                retries,
                last_error,
                deliveries,
                lease,
            )
        )
    return jobs


def _to_row(job: Job) -> Row:
    created, updated, due = job.created_at, job.updated_at, job.enqueued_at
    created_us = to_micros(created)
    return (
        created_us if due is created else to_micros(due),
        _checked(job.id),
        created_us,
        created_us if updated is created else to_micros(updated),
        job.retries if -LARGEST <= job.retries <= LARGEST else _too_many(job),
        job.payload if type(job.payload) is bytes else bytes(job.payload),
        _storable(job.last_error) if job.last_error else "",
        0,
    )


def _too_many(job: Job) -> int:
    raise TypeError(f"its retries are {job.retries}, more than 64 bits hold")


def _checked(identity: str) -> str:
    if not identity or "\0" in identity or not _is_utf8(identity):
        raise BackendError(
            f"job id {identity!r} cannot be stored in SQL; use non-empty text without NUL"
        )
    return identity


def _is_utf8(text: str) -> bool:
    return text.isascii() or text.encode(errors="replace").decode() == text


def _storable(text: str) -> str:
    """Return *text* with escapes for what SQL cannot carry: an error must not get lost."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def _wrong_column(row: Row) -> InvalidRecord:
    expected = (int, str, int, int, int, bytes, str, int)
    for name, value, kind in zip(COLUMNS, row, expected, strict=True):
        if type(value) is not kind:
            found = "NULL" if value is None else type(value).__name__
            return InvalidRecord(f"column {name}: expected {kind.__name__}, found {found}")
    return InvalidRecord("a column of the row has a wrong type")
