"""One dequeue: what it asks the server, and how the reply becomes jobs."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from work_core.errors import BackendError, InvalidRecord
from work_core.job import Lease
from work_redis import scripts
from work_redis.keys import decode, invalid_key, job_prefix, queue_key
from work_redis.store import CHUNK, decode_at, held

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from work_core.job import Job, QueueName
    from work_redis.client import Client
    from work_redis.scores import Scores


class Fetch:
    """Takes due jobs of one queue, at once or as soon as there are some.

    Args:
        report_invalid: is told of each record that was set aside because it is no job.
    """

    def __init__(
        self,
        client: Client,
        scores: Scores,
        report_invalid: Callable[[QueueName, str, InvalidRecord], None],
        queue: QueueName,
        *,
        at: datetime,
        lease: float,
    ) -> None:
        # Counted before all else: a wake() that comes from now on must not be missed.
        self._wakes = client.wakes
        self._started = time.monotonic()
        self._client = client
        self._scores = scores
        self._report_invalid = report_invalid
        self._queue = queue
        self._at = at
        self._lease = timedelta(seconds=lease)
        self._prefix = job_prefix(queue.namespace)
        self._keys = (queue_key(queue), invalid_key(queue))

    def take(self, limit: int, done: Sequence[Job] = ()) -> tuple[list[int], list[Job]]:
        """Ack *done*, lease at most *limit* jobs; return positions of lost acks, and the jobs."""
        lost, jobs, more = self._round(limit, done)
        while more and len(jobs) < limit:
            try:
                _, others, more = self._round(limit - len(jobs), ())
            except BackendError:
                if jobs:
                    # What is leased already must reach the caller; its next call tells the error.
                    break
                raise
            jobs += others
        return lost, jobs

    def wait(self, limit: int, seconds: float) -> list[Job]:
        """Lease at most *limit* jobs as soon as one is due; none after *seconds* or a wake."""
        deadline = self._started + seconds
        size = min(limit, CHUNK)
        with self._client.watch(self._queue.namespace, self._wakes) as watcher:
            while not watcher.woken:
                self._move_on()
                lease, arguments = self._ask(size, ())
                (_, invalid, leased), begins = watcher.run(scripts.EXCHANGE, self._keys, arguments)
                jobs = self._read(invalid, leased, lease)
                if jobs:
                    return jobs
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                if begins is not None:
                    left = min(left, begins - self._at.timestamp())
                watcher.sleep(left)
        return []

    def _round(self, limit: int, done: Sequence[Job]) -> tuple[list[int], list[Job], bool]:
        size = min(limit, CHUNK)
        lease, arguments = self._ask(size, done)
        lost, invalid, leased = self._client.run(
            scripts.EXCHANGE, self._queue.namespace, self._keys, arguments, again=False
        )
        jobs = self._read(invalid, leased, lease)
        return lost, jobs, len(leased) // 3 + len(invalid) == size

    def _move_on(self) -> None:
        now = time.monotonic()
        self._at += timedelta(seconds=now - self._started)
        self._started = now

    def _ask(self, limit: int, done: Sequence[Job]) -> tuple[Lease, list[Any]]:
        lease = Lease(self._at + self._lease, self._client.new_token())
        now = self._scores.due(self._at.timestamp())
        end = self._scores.end(lease.until.timestamp())
        return lease, [now, end, limit, lease.token, *held(self._prefix, done)]

    def _read(self, invalid: list[bytes], leased: list[Any], lease: Lease) -> list[Job]:
        jobs = []
        broken = [(key, InvalidRecord("its key holds no hash")) for key in invalid]
        prefix = self._prefix
        values = iter(leased)
        for key, record, deliveries in zip(values, values, values, strict=True):
            try:
                job = decode_at(prefix, key, record)
            except InvalidRecord as error:
                broken.append((key, error))
            else:
                job.deliveries = deliveries
                job.lease = lease
                jobs.append(job)
        if broken:
            self._set_aside(broken, lease)
        return jobs

    def _set_aside(self, broken: list[tuple[bytes, InvalidRecord]], lease: Lease) -> None:
        arguments = [self._scores.due(self._at.timestamp()), lease.token]
        arguments += [key for key, _ in broken]
        # Should it fail, the records stay leased, out of the way, and are met again after that.
        with suppress(BackendError):
            self._client.run(
                scripts.SET_ASIDE, self._queue.namespace, self._keys, arguments, again=True
            )
        for key, error in broken:
            self._report_invalid(self._queue, decode(key), error)
