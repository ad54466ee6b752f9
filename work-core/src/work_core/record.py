"""Read a record field by field, as Go's decoder does, and say where and why it cannot be read.

The codec reads in one go what this project and the Go library write. This is the long way, for
what other programs wrote: a field of another width or type, in another order, missing, unknown, or
broken.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any

import msgpack

from work_core.errors import InvalidRecord
from work_core.job import ZERO_TIME, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LATEST = datetime.max.replace(tzinfo=UTC)
_INT64 = 1 << 63
_NIL = b"\xc0"
_FAILURES = (ValueError, TypeError, OverflowError, msgpack.UnpackException)


def read_record(record: bytes) -> Job:
    """Return the job in *record*; fields that it lacks have Go's zero values.

    Raises:
        InvalidRecord: with the position and the reason.
    """
    reader = msgpack.Unpacker(
        timestamp=0,  # as msgpack.Timestamp, which holds every time that Go has
        unicode_errors="surrogateescape",
        max_buffer_size=max(len(record), 1),
    )
    reader.feed(record)
    fields: dict[str, Any] = dict(_ABSENT)
    try:
        for name in _names(reader, record[:1]):
            _read_field(reader, record, name, fields)
    except _FAILURES as error:
        raise InvalidRecord(_reason(error), position=reader.tell(), record=record) from error
    return Job(**fields)


def _names(reader: msgpack.Unpacker, first: bytes) -> Iterator[object]:
    """Yield the name of each field; the caller reads its value before asking for the next."""
    if first == _NIL:
        return
    if b"\x90" <= first <= b"\x9f" or first in (b"\xdc", b"\xdd"):
        count = reader.read_array_header()
        yield from list(_READ)[:count]
        yield from repeat(None, count - len(_READ))
    elif not first or b"\x80" <= first <= b"\x8f" or first in (b"\xde", b"\xdf"):
        for _ in range(reader.read_map_header()):
            yield _name(reader.unpack())
    else:
        raise TypeError("expected a map of fields")


def _name(found: object) -> object:
    if isinstance(found, bytes):
        return found.decode(errors="surrogateescape")
    if found is None or isinstance(found, str):
        return found
    raise TypeError(f"expected the name of a field, found {_kind(found)}")


def _read_field(
    reader: msgpack.Unpacker, record: bytes, name: object, fields: dict[str, Any]
) -> None:
    if not isinstance(name, str) or name not in _READ:
        reader.skip()
        return
    position = reader.tell()
    try:
        fields[name] = _READ[name](reader.unpack())
    except _FAILURES as error:
        reason = f"{name}: {_reason(error)}"
        raise InvalidRecord(reason, position=position, record=record) from error


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, str):
        return value
    raise TypeError(f"expected text, found {_kind(value)}")


def _bytes(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, bytes):
        return value
    raise TypeError(f"expected bytes, found {_kind(value)}")


def _integer(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        # Go reads an unsigned 64-bit integer into a signed one.
        return value if value < _INT64 else value - 2 * _INT64
    raise TypeError(f"expected an integer, found {_kind(value)}")


def _time(value: object) -> datetime:
    if not isinstance(value, msgpack.Timestamp):
        raise TypeError(f"expected a timestamp, found {_kind(value)}")
    try:
        moment: datetime = value.to_datetime()
    except (OverflowError, ValueError):
        return _LATEST if value.seconds > 0 else ZERO_TIME
    return moment


def _kind(value: object) -> str:
    return "nil" if value is None else type(value).__name__


def _reason(error: Exception) -> str:
    if isinstance(error, msgpack.OutOfData):
        return "it ends too early"
    return str(error) or "no msgpack value starts so"


# In the order of Go's struct, which is the order of an array.
_READ: dict[str, Callable[[object], object]] = {
    "id": _text,
    "created_at": _time,
    "updated_at": _time,
    "enqueued_at": _time,
    "payload": _bytes,
    "retries": _integer,
    "last_error": _text,
}
_ABSENT = {"id": "", "created_at": ZERO_TIME, "updated_at": ZERO_TIME, "enqueued_at": ZERO_TIME}
