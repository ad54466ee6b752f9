"""Jobs in Redis, under the keys and in the bytes of the Go library."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from work_core.backend import Backend, Exchange
from work_core.capabilities import JobFinder, MetricsExporter, QueueMetrics
from work_core.codec import decode_job, encode_job
from work_core.errors import InvalidRecord
from work_core.job import Lease

from work_redis import scripts
from work_redis.keys import decode, encode, invalid_key, job_prefix, queue_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from work_core.job import Job, QueueName

    from work_redis.client import Client

T = TypeVar("T")

CHUNK = 500
"""How many jobs one script call handles at most: it holds the server for 2 to 5 ms."""


class RedisBackend(Backend, JobFinder, MetricsExporter):
    """A store that Python and Go processes can share. Safe from any thread and across fork."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tokens = (f"{secrets.token_hex(6)}-{number}" for number in itertools.count())
        self._woken = threading.Event()

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        prefix = job_prefix(queue.namespace)
        for chunk in _chunks(jobs):
            arguments: list[Any] = []
            for job in chunk:
                arguments += (prefix + encode(job.id), job.enqueued_at.timestamp(), encode_job(job))
            self._client.run(scripts.ENQUEUE, (queue_key(queue),), arguments, again=True)

    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        return self.exchange(queue, (), limit, at=at, lease=lease, wait=wait).jobs

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        prefix = job_prefix(queue.namespace)
        lost: list[Job] = []
        for chunk in _chunks(jobs):
            arguments = ["0", "0", 0, "-", *_held(prefix, chunk)]
            reply = self._client.run(
                scripts.EXCHANGE, (queue_key(queue), invalid_key(queue)), arguments, again=True
            )
            lost += [chunk[position - 1] for position in reply[0]]
        return lost

    def exchange(
        self,
        queue: QueueName,
        done: Sequence[Job],
        limit: int,
        *,
        at: datetime,
        lease: float,
        wait: float = 0.0,
    ) -> Exchange:
        lost = self.ack(queue, done[CHUNK:]) if len(done) > CHUNK else []
        deadline = time.monotonic() + wait
        done = done[:CHUNK]
        jobs: list[Job] = []
        while True:
            started = time.monotonic()
            late, found, more = self._fetch(queue, done, min(limit - len(jobs), CHUNK), at, lease)
            lost += late
            jobs += found
            done = ()
            if len(jobs) >= limit:
                break
            if more:
                continue
            left = deadline - time.monotonic()
            if jobs or left <= 0 or self._woken.wait(min(left, 0.02)):
                self._woken.clear()
                break
            at += timedelta(seconds=time.monotonic() - started)
        return Exchange(lost, jobs)

    def _fetch(
        self, queue: QueueName, done: Sequence[Job], limit: int, at: datetime, lease: float
    ) -> tuple[list[Job], list[Job], bool]:
        prefix = job_prefix(queue.namespace)
        until = at + timedelta(seconds=lease)
        token = next(self._tokens)
        arguments = [at.timestamp(), until.timestamp(), limit, token, *_held(prefix, done)]
        keys = (queue_key(queue), invalid_key(queue))
        lost, invalid, leased = self._client.run(scripts.EXCHANGE, keys, arguments, again=limit <= 0)
        for key in invalid:
            self.report_invalid(queue, decode(key), InvalidRecord("the key holds no hash"))
        jobs = self._decode(queue, prefix, leased, Lease(until, token), at)
        more = len(invalid) + len(leased) // 3 == limit
        return [done[position - 1] for position in lost], jobs, more

    def _decode(
        self, queue: QueueName, prefix: bytes, leased: list[Any], lease: Lease, at: datetime
    ) -> list[Job]:
        jobs = []
        values = iter(leased)
        for key, record, deliveries in zip(values, values, values, strict=True):
            try:
                job = decode_job(record)
                if prefix + encode(job.id) != key:
                    raise InvalidRecord(f"its id is {job.id!r}", record=record)
            except InvalidRecord as error:
                keys = (queue_key(queue), invalid_key(queue))
                arguments = [at.timestamp(), lease.token, key]
                self._client.run(scripts.SET_ASIDE, keys, arguments, again=True)
                self.report_invalid(queue, decode(key), error)
                continue
            job.deliveries = deliveries
            job.lease = lease
            jobs.append(job)
        return jobs

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        prefix = job_prefix(queue.namespace)
        lost: list[Job] = []
        for chunk in _chunks(jobs):
            arguments: list[Any] = []
            for job in chunk:
                key, token = _held(prefix, (job,))
                arguments += (key, token, job.enqueued_at.timestamp(), encode_job(job))
            reply = self._client.run(
                scripts.RESCHEDULE, (queue_key(queue),), arguments, again=False
            )
            lost += [chunk[position - 1] for position in reply]
        return lost

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        prefix = job_prefix(queue.namespace)
        lost: list[Job] = []
        for chunk in _chunks(jobs):
            arguments = [until.timestamp(), *_held(prefix, chunk)]
            reply = self._client.run(scripts.EXTEND, (queue_key(queue),), arguments, again=True)
            gone = {position - 1 for position in reply}
            for position, job in enumerate(chunk):
                if position in gone:
                    lost.append(job)
                elif job.lease is not None:
                    job.lease = Lease(until, job.lease.token)
        return lost

    def find(self, queue: QueueName, ids: Sequence[str]) -> list[Job | None]:
        prefix = job_prefix(queue.namespace)
        found: list[Job | None] = []
        for chunk in _chunks(ids):
            keys = [prefix + encode(name) for name in chunk]
            for pair in self._client.run(scripts.FIND, (queue_key(queue),), keys, again=True):
                if pair is None:
                    found.append(None)
                    continue
                job = decode_job(pair[0])
                job.deliveries = pair[1]
                found.append(job)
        return found

    def delete(self, queue: QueueName, ids: Sequence[str]) -> list[bool]:
        prefix = job_prefix(queue.namespace)
        deleted: list[bool] = []
        for chunk in _chunks(ids):
            keys = [prefix + encode(name) for name in chunk]
            reply = self._client.run(scripts.DELETE, (queue_key(queue),), keys, again=True)
            deleted += [bool(found) for found in reply]
        return deleted

    def metrics(self, queue: QueueName, *, at: datetime) -> QueueMetrics:
        now = at.timestamp()
        ready, total, first = self._client.run(
            scripts.METRICS, (queue_key(queue),), [now], again=True
        )
        return QueueMetrics(ready, total - ready, now - float(first) if ready else 0.0)

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._client.close()
        self.wake()


def _held(prefix: bytes, jobs: Sequence[Job]) -> list[Any]:
    arguments: list[Any] = []
    for job in jobs:
        arguments += (prefix + encode(job.id), job.lease.token if job.lease else "")
    return arguments


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
