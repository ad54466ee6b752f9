"""The codec writes the bytes that the Go library writes, and reads all that it reads."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_core.codec import decode_job, decode_payload, encode_job, encode_payload
from work_core.errors import InvalidArgument, InvalidPayload, InvalidRecord, WorkError
from work_core.job import ZERO_TIME, Job

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
THEN = EPOCH + timedelta(seconds=1_700_000_000)
PAST_THE_END = datetime.max.replace(tzinfo=UTC)


class Vector(NamedTuple):
    """What Go wrote, the job it wrote it for, and whether the job has times finer than ours."""

    record: bytes
    job: Job
    is_finer: bool


def _moment(parts: list[int]) -> datetime:
    seconds, nanoseconds = parts
    return EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def _vector(row: dict[str, Any]) -> Vector:
    job = Job(
        payload=bytes.fromhex(row["payload"] or ""),
        id=row["id"],
        created_at=_moment(row["created_at"]),
        updated_at=_moment(row["updated_at"]),
        enqueued_at=_moment(row["enqueued_at"]),
        retries=row["retries"],
        last_error=row["last_error"],
    )
    times = [row[name] for name in ("created_at", "updated_at", "enqueued_at")]
    is_finer = any(nanoseconds % 1000 for _, nanoseconds in times)
    return Vector(bytes.fromhex(row["record"]), job, is_finer)


ROWS = json.loads(Path(__file__).with_name("wire_vectors.json").read_text(encoding="utf-8"))["jobs"]
VECTORS = {row["id"]: _vector(row) for row in ROWS}

# -- what Go writes -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VECTORS)
def test_reads_what_go_wrote(name: str) -> None:
    """A record of the Go library decodes to the job it was written for."""
    assert decode_job(VECTORS[name].record) == VECTORS[name].job


@pytest.mark.parametrize("name", [name for name, each in VECTORS.items() if not each.is_finer])
def test_writes_what_go_writes(name: str) -> None:
    """A job encodes to exactly the bytes that the Go library writes for it."""
    assert encode_job(VECTORS[name].job) == VECTORS[name].record


@pytest.mark.parametrize("name", [name for name, each in VECTORS.items() if each.is_finer])
def test_nanoseconds_are_cut_off(name: str) -> None:
    """Of a time with nanoseconds the whole microseconds are kept, never rounded up."""
    job = decode_job(VECTORS[name].record)
    assert decode_job(encode_job(job)) == job == VECTORS[name].job


@pytest.mark.parametrize(
    ("moment", "encoded"),
    [
        (THEN, "d6ff6553f100"),
        (THEN + timedelta(microseconds=1), "d7ff00000fa06553f100"),
        (EPOCH - timedelta(seconds=1), "c70cff00000000ffffffffffffffff"),
        (EPOCH - timedelta(seconds=0.5), "c70cff1dcd6500ffffffffffffffff"),
        (ZERO_TIME, "c70cff00000000fffffff1886e0900"),
        (EPOCH + timedelta(seconds=(1 << 34) - 1), "d7ff00000003ffffffff"),
        (EPOCH + timedelta(seconds=1 << 34), "c70cff000000000000000400000000"),
    ],
)
def test_times_have_three_widths(moment: datetime, encoded: str) -> None:
    """A time takes 4, 8 or 12 bytes, whichever is the shortest that holds it."""
    record = encode_job(Job(id="x", created_at=moment))
    assert record.split(b"created_at")[1].startswith(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    ("retries", "encoded"),
    [
        (127, "7f"),
        (255, "ccff"),
        (65535, "cdffff"),
        (1 << 16, "ce00010000"),
        (1 << 32, "cf0000000100000000"),
        (-1, "ff"),
        (-33, "d0df"),
        (-(1 << 63), "d38000000000000000"),
    ],
)
def test_integers_have_the_shortest_width(retries: int, encoded: str) -> None:
    """An integer is written in the fewest bytes that hold it, and read back."""
    record = encode_job(Job(id="x", retries=retries))
    assert bytes.fromhex("a772657472696573" + encoded + "aa6c617374") in record
    assert decode_job(record).retries == retries


def test_an_empty_payload_is_nil() -> None:
    """No payload is written as nil, as Go's NewJob has it, and read back as no bytes."""
    record = encode_job(Job(id="x"))
    assert b"payload\xc0" in record
    assert decode_job(record).payload == b""


def test_a_time_in_another_zone_is_the_same_moment() -> None:
    """What is stored is the moment, not the zone it was said in."""
    there = THEN.astimezone(timezone(timedelta(hours=-5)))
    assert encode_job(Job(id="x", created_at=there)) == encode_job(Job(id="x", created_at=THEN))


def test_a_subclass_of_datetime_is_written_as_what_it_is() -> None:
    """Times of libraries that extend datetime (pendulum, pandas, freezegun) are times."""

    class Moment(datetime):
        pass

    moment = Moment(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert encode_job(Job(id="x", created_at=moment)) == encode_job(Job(id="x", created_at=THEN))


def test_a_large_payload_is_carried_whole() -> None:
    """A payload of a megabyte comes back, and the small job after it too."""
    large = Job(bytes(range(256)) * 4096, id="x", created_at=THEN)
    assert decode_job(encode_job(large)) == large
    assert decode_job(encode_job(Job(b"small", id="y"))).payload == b"small"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_at", None),
        ("updated_at", None),
        ("enqueued_at", None),
        ("enqueued_at", 1_700_000_000),
        ("created_at", datetime(2023, 1, 1)),  # noqa: DTZ001 - naive on purpose
        ("payload", [1, 2]),
        ("id", None),
        ("retries", 1.5),
        ("retries", True),
        ("retries", 1 << 63),
        ("last_error", b"bytes"),
        ("last_error", "\ud800"),
    ],
)
def test_what_go_could_not_read_is_not_written(field: str, value: object) -> None:
    """A field that Go's decoder would refuse, or die of, is refused here, with the job's id."""
    job = Job(id="x", created_at=THEN)
    setattr(job, field, value)
    with pytest.raises(WorkError, match="cannot be encoded"):
        encode_job(job)


def test_a_refused_job_leaves_no_trace_in_the_next() -> None:
    """After a job that could not be encoded the next one is written whole and alone."""
    with pytest.raises(WorkError):
        encode_job(Job(b"payload", id="x", last_error="\ud800"))
    job = Job(b"payload", id="y", created_at=THEN)
    assert decode_job(encode_job(job)) == job


# -- what Go accepts ------------------------------------------------------------------------------

TIME = msgpack.Timestamp(1_700_000_000, 0)
FIELDS: dict[str, Any] = {
    "id": "x",
    "created_at": TIME,
    "updated_at": TIME,
    "enqueued_at": TIME,
    "payload": b"p",
    "retries": 2,
    "last_error": "boom",
}
JOB = Job(b"p", "x", THEN, THEN, THEN, 2, "boom")


def record_with(**changes: Any) -> bytes:
    """Return the record of JOB with some fields changed."""
    packed: bytes = msgpack.packb({**FIELDS, **changes}, unicode_errors="surrogateescape")
    return packed


def record_with_raw(field: str, raw: bytes) -> bytes:
    """Return the record of JOB with *raw* bytes for the value of one field."""
    pairs = [(msgpack.packb(name), msgpack.packb(value)) for name, value in FIELDS.items()]
    body = b"".join(
        name + (raw if name == msgpack.packb(field) else value) for name, value in pairs
    )
    return bytes([0x80 + len(FIELDS)]) + body


def _with_header(header: bytes) -> bytes:
    return header + record_with()[1:]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(msgpack.packb(dict(reversed(FIELDS.items()))), id="any order of keys"),
        pytest.param(record_with(more=[1, {"deep": None}]), id="unknown key"),
        pytest.param(record_with(more={1: {2: 3}}), id="unknown key with integer keys inside"),
        pytest.param(
            _with_header(b"\x88") + b"\xa1u\x81\x90\x01", id="unknown key with a list as key inside"
        ),
        pytest.param(_with_header(b"\x88") + b"\xc0\x01", id="nil key"),
        pytest.param(msgpack.packb({k.encode(): v for k, v in FIELDS.items()}), id="bin keys"),
        pytest.param(_with_header(b"\xde\x00\x07"), id="map16"),
        pytest.param(_with_header(b"\xdf\x00\x00\x00\x07"), id="map32"),
        pytest.param(msgpack.packb(list(FIELDS.values())), id="array in field order"),
        pytest.param(msgpack.packb([*FIELDS.values(), "more"]), id="longer array"),
        pytest.param(record_with() + b"\x01\x02\xc1", id="bytes after the end"),
        pytest.param(
            _with_header(b"\x88") + b"\xa7retries\x02", id="key that stands twice: the last wins"
        ),
        pytest.param(record_with(payload="p"), id="payload as text"),
        pytest.param(record_with(id=b"x"), id="id as bin"),
        pytest.param(record_with(last_error=b"boom"), id="last_error as bin"),
        pytest.param(record_with_raw("retries", b"\xcf" + (2).to_bytes(8)), id="wide integer"),
        pytest.param(record_with_raw("retries", b"\xd1\x00\x02"), id="signed integer"),
        pytest.param(
            record_with_raw("created_at", b"\xd7\xff" + struct.pack(">Q", 1_700_000_000)),
            id="time of 8 bytes",
        ),
        pytest.param(
            record_with_raw("created_at", b"\xc7\x0c\xff" + struct.pack(">Iq", 0, 1_700_000_000)),
            id="time of 12 bytes",
        ),
        pytest.param(
            record_with_raw("created_at", b"\xc7\x08\xff" + struct.pack(">Q", 1_700_000_000)),
            id="time of 8 bytes with a length",
        ),
    ],
)
def test_reads_every_form_that_go_reads(record: bytes) -> None:
    """However a record is laid out, if Go reads it, it is the same job here."""
    assert decode_job(record) == JOB


@pytest.mark.parametrize("record", [b"\xc0", b"\x80", b"\xde\x00\x00", b"\x90"])
def test_nothing_is_the_zero_job(record: bytes) -> None:
    """Nil and the empty map are Go's zero job: no id, and times in year 1."""
    assert decode_job(record) == Job(
        id="", created_at=ZERO_TIME, updated_at=ZERO_TIME, enqueued_at=ZERO_TIME
    )


def test_missing_fields_have_zero_values() -> None:
    """A key that is missing leaves its field at Go's zero value, whatever the others say."""
    job = decode_job(msgpack.packb({"id": "x", "created_at": TIME}))
    assert (job.created_at, job.updated_at, job.enqueued_at) == (THEN, ZERO_TIME, ZERO_TIME)
    assert (job.payload, job.retries, job.last_error) == (b"", 0, "")


@pytest.mark.parametrize(("field", "zero"), [("id", ""), ("retries", 0), ("last_error", "")])
def test_nil_is_the_zero_value_of_all_but_times(field: str, zero: object) -> None:
    """Nil stands for the zero value of text and integers."""
    assert getattr(decode_job(record_with(**{field: None})), field) == zero


def test_an_unsigned_integer_wraps_as_in_go() -> None:
    """Go reads an unsigned 64-bit integer into a signed one, and so does this."""
    assert decode_job(record_with(retries=(1 << 64) - 1)).retries == -1


def test_text_that_is_no_utf8_survives() -> None:
    """Go checks no text: what is no UTF-8 is kept and written back as it was."""
    record = encode_job(Job(id="x", created_at=THEN)).replace(b"\xa1x", b"\xa1\xff")
    assert decode_job(record).id == "\udcff"
    assert encode_job(decode_job(record)) == record


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (253_402_300_799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (253_402_300_800, PAST_THE_END),
        (1 << 62, PAST_THE_END),
        (-62_135_596_801, ZERO_TIME),
        (-(1 << 62), ZERO_TIME),
    ],
)
def test_times_beyond_ours_become_their_ends(seconds: int, expected: datetime) -> None:
    """Go's years go beyond 1 to 9999: what is outside becomes the nearest end."""
    assert (
        decode_job(record_with(enqueued_at=msgpack.Timestamp(seconds, 0))).enqueued_at == expected
    )


# -- what Go rejects ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("retries", 2.0, "expected an integer, found float"),
        ("retries", "2", "expected an integer, found str"),
        ("retries", True, "expected an integer, found bool"),
        ("created_at", None, "expected a timestamp, found nil"),
        ("updated_at", None, "expected a timestamp, found nil"),
        ("enqueued_at", None, "expected a timestamp, found nil"),
        ("enqueued_at", "2023-11-14T22:13:20Z", "expected a timestamp, found str"),
        ("enqueued_at", 1_700_000_000, "expected a timestamp, found int"),
        ("enqueued_at", 1.7e9, "expected a timestamp, found float"),
        ("enqueued_at", [1_700_000_000, 0], "expected a timestamp, found list"),
        ("enqueued_at", msgpack.ExtType(13, bytes(12)), "expected a timestamp, found ExtType"),
        ("payload", [1, 2], "expected bytes, found list"),
        ("payload", [], "expected bytes, found list"),
        ("payload", {}, "expected bytes, found dict"),
        ("payload", 0, "expected bytes, found int"),
        ("id", 7, "expected text, found int"),
        ("last_error", {"a": 1}, "expected text, found dict"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(field: str, value: object, reason: str) -> None:
    """What Go refuses is refused with the field, the reason and the byte where its value starts."""
    record = record_with(**{field: value})
    with pytest.raises(InvalidRecord, match=f"{field}: {reason}") as caught:
        decode_job(record)
    assert record[: caught.value.position].endswith(msgpack.packb(field))
    assert caught.value.record == record


@pytest.mark.parametrize(
    ("record", "position", "reason"),
    [
        (b"", 0, "it ends too early"),
        (b"\x05", 0, "expected a map of fields"),
        (b"\xa5hello", 0, "expected a map of fields"),
        (b"\xc1", 0, "expected a map of fields"),
        (b"{}", 0, "expected a map of fields"),
        (b"\x81", 1, "it ends too early"),
        (b"\x81\xa2id", 4, "id: it ends too early"),
        (b"\x81\xa2id\xc1", 4, "id: no msgpack value starts so"),
        (b"\x81\xc1", 1, "no msgpack value starts so"),
        (b"\x81\x01\x02", 2, "expected the name of a field, found int"),
        (b"\xdf\xff\xff\xff\xff", 5, "it ends too early"),
        (b"\xdd\xff\xff\xff\xff", 5, "id: it ends too early"),
        (b"\x81\xaacreated_at\xc7\x03\xff123", 12, "created_at: invalid timestamp data"),
    ],
)
def test_bad_bytes_are_refused_with_their_place(record: bytes, position: int, reason: str) -> None:
    """What is no job is refused with the byte at which the trouble starts, and why."""
    with pytest.raises(InvalidRecord, match=reason) as caught:
        decode_job(record)
    assert caught.value.position == position
    assert f"at byte {position}" in str(caught.value)


def test_a_record_cut_off_anywhere_is_refused() -> None:
    """Of a record that lacks its end no part is taken for a job."""
    whole = record_with()
    for length in range(len(whole)):
        with pytest.raises(InvalidRecord):
            decode_job(whole[:length])


# -- payloads -------------------------------------------------------------------------------------


def test_arguments_travel_by_name() -> None:
    """A payload is a msgpack map that any language reads, times as timestamps."""
    arguments = {"n": 1, "f": 1.5, "t": "é世界", "b": b"\xff", "l": [None, True], "at": THEN}
    assert decode_payload(encode_payload(arguments)) == arguments


def test_tuples_arrive_as_lists() -> None:
    """Msgpack has one kind of array."""
    assert decode_payload(encode_payload({"pair": (1, 2)})) == {"pair": [1, 2]}


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        Path("file"),
        1 << 64,
        "\ud800",
        datetime(2023, 1, 1),  # noqa: DTZ001 - naive on purpose
        [[object()]],
    ],
)
def test_the_argument_that_cannot_travel_is_named(value: object) -> None:
    """A refusal names the argument, its type, and what can be sent instead."""
    with pytest.raises(
        InvalidArgument, match=r"argument 'bad' of type \w+ cannot be sent: .*aware"
    ):
        encode_payload({"good": 1, "bad": value})


def test_an_argument_that_holds_itself_is_named() -> None:
    """A list without an end is refused and does not hang."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidArgument, match="argument 'endless'"):
        encode_payload({"endless": endless})


@pytest.mark.parametrize(
    ("payload", "position", "reason"),
    [
        (b"", 0, "it ends too early"),
        (b"\xc1", 0, "no msgpack value starts so"),
        (b"\x82\xa1a\x01\xa1b\xc1", 6, "no msgpack value starts so"),
        (b"\x81\xa1a\xa5ab", 3, "it ends too early"),
        (b"\x81\xa1a\x92\x01\xa1\xff", 5, "can't decode byte 0xff"),
        (b"\x81\x90\x01", 0, "unhashable"),
        (b"\x01\x02\x03", 1, "followed by 2 more bytes"),
        (b'{"json": 1}', 1, "followed by 10 more bytes"),
        (b"\xc7\x0c\xff" + struct.pack(">Iq", 0, 1 << 62), 0, "too large"),
    ],
)
def test_a_bad_payload_is_refused_with_its_place(
    payload: bytes, position: int, reason: str
) -> None:
    """What is no msgpack is refused with the byte at which the trouble starts, and why."""
    with pytest.raises(InvalidPayload, match=rf"at byte {position}: .*{reason}"):
        decode_payload(payload)


# -- for all jobs, for all bytes ------------------------------------------------------------------

moments = st.datetimes(timezones=st.just(UTC))
jobs = st.builds(
    Job,
    payload=st.binary(max_size=300),
    id=st.text(min_size=1),
    created_at=moments,
    updated_at=moments,
    enqueued_at=moments,
    retries=st.integers(-(1 << 63), (1 << 63) - 1),
    last_error=st.text(max_size=300),
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | moments,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


@given(jobs)
def test_every_job_comes_back_as_it_was(job: Job) -> None:
    """Decoding what was encoded gives an equal job, and encoding that the same bytes."""
    record = encode_job(job)
    assert decode_job(record) == job
    assert encode_job(decode_job(record)) == record


@given(jobs)
def test_no_time_is_ever_nil(job: Job) -> None:
    """No record that is written holds a nil time, which would kill a Go worker."""
    fields = msgpack.unpackb(encode_job(job), timestamp=0)
    for name in ("created_at", "updated_at", "enqueued_at"):
        assert isinstance(fields[name], msgpack.Timestamp)


@given(moments, st.integers(0, 999))
def test_every_nanosecond_is_cut_never_rounded(moment: datetime, nanoseconds: int) -> None:
    """Whatever stands below the microsecond is dropped."""
    exact = msgpack.Timestamp.from_datetime(moment)
    finer = msgpack.Timestamp(exact.seconds, exact.nanoseconds + nanoseconds)
    assert decode_job(record_with(created_at=finer)).created_at == moment


@given(st.binary(max_size=200))
def test_bytes_are_a_job_or_an_invalid_record(record: bytes) -> None:
    """Random bytes never raise anything but InvalidRecord, and what is read can be written."""
    try:
        job = decode_job(record)
    except InvalidRecord:
        return
    assert decode_job(encode_job(job)) == job


@given(st.data())
def test_a_damaged_record_is_a_job_or_an_invalid_record(data: st.DataObject) -> None:
    """A record with some bytes changed never raises anything but InvalidRecord."""
    damaged = bytearray(record_with())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        decode_job(bytes(damaged))
    except InvalidRecord as error:
        assert -1 <= error.position <= len(damaged)  # noqa: PT017 - not every damage is an error


@given(st.binary(max_size=200))
def test_bytes_are_a_value_or_an_invalid_payload(payload: bytes) -> None:
    """Random bytes never raise anything but InvalidPayload."""
    try:
        decode_payload(payload)
    except InvalidPayload as error:
        assert " at byte " in str(error)  # noqa: PT017 - not all bytes are an error


@settings(max_examples=50)  # nested values are slow to make
@given(st.dictionaries(st.text(min_size=1), values, max_size=5))
def test_every_payload_comes_back_as_it_was(arguments: dict[str, object]) -> None:
    """Whatever msgpack can carry arrives as it was sent."""
    assert decode_payload(encode_payload(arguments)) == arguments
