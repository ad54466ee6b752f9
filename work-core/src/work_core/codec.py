"""The bytes of a job and of its payload, as the Go library writes and reads them.

A record is a msgpack map of the seven fields of Go's struct, in its order. Reading accepts what
Go's decoder accepts. A nil time is the exception, because it kills a Go worker: it is refused here
and never written. Times have microseconds here and nanoseconds in Go: the rest is cut off.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgpack

from work_core.errors import InvalidArgument, InvalidPayload, WorkError
from work_core.job import Job
from work_core.record import read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATETIME = 3  # msgpack's number for "timestamps as datetime"
_INT64 = 1 << 63
_KEPT_BUFFER = 1 << 16
_REFUSALS = (TypeError, ValueError, OverflowError, RecursionError)


class _Packer(threading.local):
    """One packer per thread: making one costs as much as packing a job."""

    def __init__(self) -> None:
        packer = msgpack.Packer(datetime=True, unicode_errors="surrogateescape")
        self.pack = packer.pack


_packer = _Packer()


def encode_job(job: Job) -> bytes:
    """Return the record of *job*, byte for byte what the Go library writes for the same job.

    An empty payload becomes nil, as Go's ``NewJob`` has it.

    Raises:
        WorkError: for a naive datetime or a field of the wrong type, by name.
    """
    if not _plain(job):
        job = _normalized(job)
    # A packer keeps the buffer of the largest job it has seen.
    pack = _packer.pack if len(job.payload) < _KEPT_BUFFER else _Packer().pack
    try:
        record: bytes = pack(
            {
                "id": job.id,
                "created_at": job.created_at,
                "updated_at": job.updated_at,
                "enqueued_at": job.enqueued_at,
                "payload": job.payload or None,
                "retries": job.retries,
                "last_error": job.last_error,
            }
        )
    except _REFUSALS as error:
        raise WorkError(f"job {job.id!r} cannot be encoded: {error}") from error
    return record


def decode_job(record: bytes) -> Job:
    """Return the job in *record*, accepting all that Go's decoder accepts.

    That is: any order of keys, unknown and missing keys, bin keys, an array in field order, any
    width of integer, every form of timestamp, and bytes after the end. Text that is no UTF-8 is
    kept by surrogate escapes; times beyond the years 1 and 9999 become their ends.

    Raises:
        InvalidRecord: with the position and the reason.
    """
    try:
        found = msgpack.unpackb(record, timestamp=_DATETIME, unicode_errors="surrogateescape")
        payload = found["payload"]
        job = Job(
            b"" if payload is None else payload,
            found["id"],
            found["created_at"],
            found["updated_at"],
            found["enqueued_at"],
            found["retries"],
            found["last_error"],
        )
    except (ValueError, TypeError, LookupError, OverflowError):
        return read_record(record)
    return job if _plain(job) else read_record(record)


def encode_payload(arguments: Mapping[str, object]) -> bytes:
    """Return the msgpack map from parameter name to value.

    Raises:
        InvalidArgument: naming the first argument that msgpack cannot carry.
    """
    try:
        payload: bytes = msgpack.packb(arguments, datetime=True)
    except _REFUSALS as error:
        raise _name_the_culprit(arguments, error) from error
    return payload


def decode_payload(payload: bytes) -> Any:
    """Return the value in *payload*; timestamps become aware UTC datetimes.

    Raises:
        InvalidPayload: with the position and the reason.
    """
    try:
        return msgpack.unpackb(payload, timestamp=_DATETIME, strict_map_key=False)
    except _REFUSALS as error:
        position, reason = _trouble(payload, error)
        raise InvalidPayload(
            f"the payload of {len(payload)} bytes is not msgpack at byte {position}: {reason}"
        ) from error


def _plain(job: Job) -> bool:
    """Tell whether every field has exactly the type that its record can carry."""
    return (
        type(job.payload) is bytes
        and type(job.id) is str
        and type(job.created_at) is datetime
        and type(job.updated_at) is datetime
        and type(job.enqueued_at) is datetime
        and type(job.retries) is int
        and job.retries < _INT64
        and type(job.last_error) is str
    )


# -- encoding what is not plain -------------------------------------------------------------------


def _normalized(job: Job) -> Job:
    """Return *job* with plain types in place of their subclasses, refusing all else."""
    return Job(
        payload=bytes(_expect(job, "payload", (bytes, bytearray, memoryview))),
        id=str(_expect(job, "id", (str,))),
        created_at=_plain_time(_expect(job, "created_at", (datetime,))),
        updated_at=_plain_time(_expect(job, "updated_at", (datetime,))),
        enqueued_at=_plain_time(_expect(job, "enqueued_at", (datetime,))),
        retries=_plain_retries(job),
        last_error=str(_expect(job, "last_error", (str,))),
    )


def _expect(job: Job, name: str, types: tuple[type, ...]) -> Any:
    value = getattr(job, name)
    if isinstance(value, types):
        return value
    expected = types[0].__name__
    raise WorkError(f"job {job.id!r} cannot be encoded: {name} is {value!r}, no {expected}")


def _plain_time(moment: datetime) -> datetime:
    # Subclasses (pendulum, freezegun, pandas) are refused by msgpack.
    return datetime.combine(moment.date(), moment.time(), moment.tzinfo)


def _plain_retries(job: Job) -> int:
    value = _expect(job, "retries", (int,))
    if isinstance(value, bool) or value >= _INT64:
        raise WorkError(f"job {job.id!r} cannot be encoded: retries is {value}, no 64-bit integer")
    return int(value)


# -- saying what is wrong -------------------------------------------------------------------------


def _name_the_culprit(arguments: Mapping[str, object], error: Exception) -> InvalidArgument:
    for name, value in arguments.items():
        reason = _refusal(value)
        if reason is not None:
            return InvalidArgument(
                f"argument {name!r} of type {type(value).__name__} cannot be sent: {reason}; "
                "pass numbers, text, bytes, aware datetimes, lists or dicts"
            )
    return InvalidArgument(f"the arguments cannot be sent: {error}")


def _refusal(value: object) -> str | None:
    try:
        msgpack.packb(value, datetime=True)
    except _REFUSALS as error:
        return str(error)
    return None


def _trouble(payload: bytes, error: Exception) -> tuple[int, str]:
    """Return the byte at which *payload* stops being one msgpack value, and why."""
    if isinstance(error, msgpack.ExtraData):
        extra = len(error.extra)
        return len(payload) - extra, f"the value is followed by {extra} more bytes"
    reader = msgpack.Unpacker(timestamp=_DATETIME, max_buffer_size=len(payload) or 1)
    reader.feed(payload)
    position, values = 0, 1
    try:
        while values:
            position = reader.tell()
            values += _enter(reader, payload[position : position + 1]) - 1
    except msgpack.OutOfData:
        return position, "it ends too early"
    except _REFUSALS as found:
        return position, str(found) or "no msgpack value starts so"
    return 0, str(error)


def _enter(reader: msgpack.Unpacker, first: bytes) -> int:
    """Read one scalar, or the header of an array or map; return how many values stand in it."""
    if b"\x80" <= first <= b"\x8f" or first in (b"\xde", b"\xdf"):
        return 2 * int(reader.read_map_header())
    if b"\x90" <= first <= b"\x9f" or first in (b"\xdc", b"\xdd"):
        return int(reader.read_array_header())
    reader.unpack()
    return 0
