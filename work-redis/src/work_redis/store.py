"""What every part of the backend stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from work_core.codec import decode_job
from work_core.errors import BackendError, EnqueueFailed, InvalidRecord
from work_redis.keys import encode, job_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from work_core.job import Job
    from work_redis.client import Client
    from work_redis.scores import Scores

T = TypeVar("T")

CHUNK = 500
"""How many jobs one script handles at most: it pays for the trip and soon frees the server.

Lua's ``unpack`` would fail above 3999, after half of the script's work.
"""


STEP_BYTES = 16 * 1024 * 1024
"""How many bytes of records are sent at once."""


class Store:
    """A client, and the way in which times become scores."""

    def __init__(self, client: Client, scores: Scores) -> None:
        self._client = client
        self._scores = scores


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield *items* in order, at most ``CHUNK`` at a time."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def in_steps(
    jobs: Sequence[Job],
    entries: Sequence[tuple[Any, ...]],
    store: Callable[[list[Any]], object],
) -> None:
    """Call *store* with the flattened *entries* of *jobs*, a step of them at a time.

    The last item of an entry is the job's record. A step is at most ``CHUNK`` jobs and, beyond one
    job, ``STEP_BYTES``: the server hangs up on a command of a gigabyte.

    Raises:
        EnqueueFailed: when a call fails after another went well.
    """
    stored = 0
    for chunk in _steps(entries):
        try:
            store([value for entry in chunk for value in entry])
        except BackendError as error:
            if not stored:
                raise
            raise _half_done(jobs, stored, error) from error
        stored += len(chunk)


def job_keys(namespace: str, ids: Sequence[str]) -> list[bytes]:
    """Return the key of the job of each id."""
    prefix = job_prefix(namespace)
    return [prefix + encode(name) for name in ids]


def held(prefix: bytes, jobs: Sequence[Job]) -> list[Any]:
    """Return key and lease token of each of *jobs*, as the scripts expect them."""
    arguments: list[Any] = []
    for job in jobs:
        lease = job.lease
        arguments += (prefix + encode(job.id), lease.token if lease is not None else "")
    return arguments


def decode_at(prefix: bytes, key: bytes, record: bytes) -> Job:
    """Return the job in *record*, which was found at *key*.

    Raises:
        InvalidRecord: also when it is another job's, for that could never be acked.
    """
    job = decode_job(record)
    if prefix + encode(job.id) != key:
        raise InvalidRecord(f"its id is {job.id!r}, which is not that of its key", record=record)
    return job


def _steps(entries: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    start = size = 0
    for position, entry in enumerate(entries):
        length = len(entry[-1])
        if position - start == CHUNK or (size and size + length > STEP_BYTES):
            yield entries[start:position]
            start, size = position, 0
        size += length
    if start < len(entries):
        yield entries[start:]


def _half_done(jobs: Sequence[Job], stored: int, error: BackendError) -> EnqueueFailed:
    return EnqueueFailed(
        f"{stored} of {len(jobs)} jobs are stored, the others may be: {error}; enqueue those again",
        stored=jobs[:stored],
        failed=[(job, str(error)) for job in jobs[stored:]],
    )
