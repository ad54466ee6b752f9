"""The bytes of a job and of its payload, as the Go library writes and reads them.

A record is a msgpack map of the seven fields of Go's struct, in its order. Reading accepts what Go's
decoder accepts, a nil time excepted: it kills a Go worker, so it is refused
here and never written. Times have microseconds here and nanoseconds in Go: the rest is cut off.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgpack

from work_core.errors import InvalidArgument, InvalidPayload, InvalidRecord, WorkError
from work_core.job import ZERO_TIME, Job

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS = ("id", "created_at", "updated_at", "enqueued_at", "payload", "retries", "last_error")
_LATEST = datetime.max.replace(tzinfo=UTC)
_EXACT, _DATETIME = 0, 3  # msgpack's names for "as Timestamp" and "as datetime"
_INT64 = 1 << 63


def encode_job(job: Job) -> bytes:
    """Return the record of *job*, byte for byte what the Go library writes for the same job.

    An empty payload becomes nil, as Go's ``NewJob`` has it.

    Raises:
        WorkError: for a naive datetime or a field of the wrong type.
    """
    try:
        record: bytes = msgpack.packb(
            {
                "id": job.id,
                "created_at": job.created_at,
                "updated_at": job.updated_at,
                "enqueued_at": job.enqueued_at,
                "payload": job.payload or None,
                "retries": job.retries,
                "last_error": job.last_error,
            },
            datetime=True,
            unicode_errors="surrogateescape",
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise WorkError(f"job {job.id!r} cannot be encoded: {error}") from error
    return record


def decode_job(record: bytes) -> Job:
    """Return the job in *record*, accepting all that Go's decoder accepts.

    That is: any order of keys, unknown and missing keys, bin keys, an array in field order, any width
    of integer, every form of timestamp, and bytes after the end. Text that is no UTF-8 is kept by
    surrogate escapes; times beyond the year 9999 become its end.

    Raises:
        InvalidRecord: with the position and the reason.
    """
    try:
        found = msgpack.unpackb(
            record, timestamp=_DATETIME, unicode_errors="surrogateescape", strict_map_key=True
        )
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
        return _decode_leniently(record)
    if _plain(job):
        return job
    return _decode_leniently(record)


def encode_payload(arguments: Mapping[str, object]) -> bytes:
    """Return the msgpack map from parameter name to value.

    Raises:
        InvalidArgument: naming the first argument that msgpack cannot carry.
    """
    try:
        payload: bytes = msgpack.packb(arguments, datetime=True)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _name_the_culprit(arguments, error) from error
    return payload


def decode_payload(payload: bytes) -> Any:
    """Return the value in *payload*; timestamps become aware UTC datetimes.

    Raises:
        InvalidPayload: with the position and the reason.
    """
    try:
        return msgpack.unpackb(payload, timestamp=_DATETIME, strict_map_key=False)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = _reason(payload, error)
        raise InvalidPayload(
            f"the payload of {len(payload)} bytes is not msgpack: {reason}"
        ) from error


def _plain(job: Job) -> bool:
    return (
        type(job.id) is str
        and type(job.payload) is bytes
        and type(job.created_at) is datetime
        and type(job.updated_at) is datetime
        and type(job.enqueued_at) is datetime
        and type(job.retries) is int
        and type(job.last_error) is str
    )


def _decode_leniently(record: bytes) -> Job:
    values = _fields(record)
    text = {name: _text(values.get(name), name, record) for name in ("id", "last_error")}
    times = {
        name: _time(values.get(name, ZERO_TIME), name, record)
        for name in ("created_at", "updated_at", "enqueued_at")
    }
    return Job(
        payload=_bytes(values.get("payload"), record),
        id=text["id"],
        created_at=times["created_at"],
        updated_at=times["updated_at"],
        enqueued_at=times["enqueued_at"],
        retries=_integer(values.get("retries"), record),
        last_error=text["last_error"],
    )


def _fields(record: bytes) -> dict[str, object]:
    unpacker = msgpack.Unpacker(
        timestamp=_EXACT, unicode_errors="surrogateescape", strict_map_key=False
    )
    unpacker.feed(record)
    try:
        value = unpacker.unpack()
    except Exception as error:
        raise InvalidRecord(
            str(error) or "the record ends too early", position=unpacker.tell(), record=record
        ) from error
    if value is None:
        return {}
    if isinstance(value, list) and len(value) == len(_FIELDS):
        return dict(zip(_FIELDS, value, strict=True))
    if not isinstance(value, dict):
        raise InvalidRecord(
            f"expected a map of fields, found {type(value).__name__}", position=0, record=record
        )
    return {_key(name): content for name, content in value.items()}


def _key(name: object) -> str:
    return name.decode(errors="surrogateescape") if isinstance(name, bytes) else str(name)


def _wrong(name: str, value: object, expected: str, record: bytes) -> InvalidRecord:
    position = record.find(name.encode())
    found = "nil" if value is None else type(value).__name__
    return InvalidRecord(
        f"{name}: expected {expected}, found {found}", position=position, record=record
    )


def _text(value: object, name: str, record: bytes) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, str):
        return value
    raise _wrong(name, value, "text", record)


def _bytes(value: object, record: bytes) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, bytes):
        return value
    raise _wrong("payload", value, "bytes", record)


def _integer(value: object, record: bytes) -> int:
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        # Go reads an unsigned 64-bit integer into a signed one.
        return value if value < _INT64 else value - 2 * _INT64
    raise _wrong("retries", value, "an integer", record)


def _time(value: object, name: str, record: bytes) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, msgpack.Timestamp):
        try:
            moment: datetime = value.to_datetime()
        except (OverflowError, ValueError):
            return _LATEST if value.seconds > 0 else ZERO_TIME
        return moment
    raise _wrong(name, value, "a timestamp", record)


def _name_the_culprit(arguments: Mapping[str, object], error: Exception) -> InvalidArgument:
    for name, value in arguments.items():
        reason = _refused(value)
        if reason is not None:
            return InvalidArgument(
                f"argument {name!r} of type {type(value).__name__} cannot be sent: {reason}; "
                "pass numbers, text, bytes, aware datetimes, lists or dicts"
            )
    return InvalidArgument(f"the arguments cannot be sent: {error}")


def _refused(value: object) -> str | None:
    try:
        msgpack.packb(value, datetime=True)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return str(error)
    return None


def _reason(payload: bytes, error: Exception) -> str:
    if isinstance(error, msgpack.ExtraData):
        return f"the value is followed by {len(error.extra)} more bytes at byte {len(payload) - len(error.extra)}"
    return str(error) or type(error).__name__
