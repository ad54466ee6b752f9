"""Jobs in Redis, under the keys and in the bytes of the Go library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.backend import Backend, Exchange
from work_core.codec import encode_job
from work_core.errors import PayloadTooLarge
from work_core.job import Lease
from work_redis import scripts
from work_redis.fetch import Fetch
from work_redis.keys import encode, invalid_key, job_prefix, queue_key
from work_redis.locks import Locks
from work_redis.lookup import Lookup
from work_redis.store import CHUNK, chunks, held, in_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from work_core.job import Job, QueueName
    from work_redis.client import Client
    from work_redis.scores import Scores

MAX_RECORD = 512 * 1024 * 1024
"""How many bytes a value may have: the server hangs up on more (its ``proto-max-bulk-len``)."""


class RedisBackend(Lookup, Locks, Backend):
    """A store that Python and Go processes share; safe from any thread and across fork.

    It has every capability but ``TransactionalEnqueue``; ``Lookup`` and ``Locks`` hold them.
    """

    def __init__(self, client: Client, scores: Scores) -> None:
        super().__init__(client, scores)
        self.resolution = scores.resolution

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Store *jobs*, 500 in a step; a step that fails after others is ``EnqueueFailed``."""
        prefix = job_prefix(queue.namespace)
        entries = [(prefix + encode(job.id), *self._entry(job)) for job in jobs]
        in_steps(jobs, entries, lambda step: self._run(scripts.ENQUEUE, queue, step, again=True))

    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Lease jobs; a wait ends within milliseconds of an enqueue by any process, even in Go."""
        return self.exchange(queue, (), limit, at=at, lease=lease, wait=wait).jobs

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Remove leased jobs that are done."""
        prefix = job_prefix(queue.namespace)
        lost: list[Job] = []
        for chunk in chunks(jobs):
            arguments = [0, 0, 0, "", *held(prefix, chunk)]
            positions, _, _ = self._run(scripts.EXCHANGE, queue, arguments, again=True)
            lost += _at(positions, chunk)
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
        """Ack and lease in one round trip, for up to 500 of each."""
        if limit <= 0:
            return Exchange(self.ack(queue, done), [])
        fetch = Fetch(self._client, self._scores, self.report_invalid, queue, at=at, lease=lease)
        lost = self.ack(queue, done[CHUNK:]) if len(done) > CHUNK else []
        positions, jobs = fetch.take(limit, done[:CHUNK])
        lost += _at(positions, done)
        if wait > 0 and not jobs:
            jobs = fetch.wait(limit, wait)
        return Exchange(lost, jobs)

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Give leased jobs back, due at their ``enqueued_at``."""
        prefix = job_prefix(queue.namespace)
        lost: list[Job] = []
        for chunk in chunks(jobs):
            arguments: list[Any] = []
            for job in chunk:
                arguments += (*held(prefix, (job,)), *self._entry(job))
            # Sent once: were only the answer lost, a second time would call the lease lost.
            positions = self._run(scripts.RESCHEDULE, queue, arguments, again=False)
            lost += _at(positions, chunk)
        return lost

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Keep leased jobs hidden until *until*."""
        prefix = job_prefix(queue.namespace)
        end = self._scores.end(until.timestamp())
        lost: list[Job] = []
        for chunk in chunks(jobs):
            arguments = [end, *held(prefix, chunk)]
            gone = set(self._run(scripts.EXTEND, queue, arguments, again=True))
            for position, job in enumerate(chunk, 1):
                if position in gone or job.lease is None:
                    lost.append(job)
                else:
                    job.lease = Lease(until, job.lease.token)
        return lost

    def wake(self) -> None:
        """Make every dequeue that waits in this process return."""
        self._client.wake()

    def close(self) -> None:
        """Close all connections; waiting calls return."""
        self._client.close()

    def __repr__(self) -> str:
        return f"<RedisBackend {self._client.server}>"

    def _run(
        self, script: scripts.Script, queue: QueueName, arguments: list[Any], *, again: bool
    ) -> Any:
        keys = (queue_key(queue), invalid_key(queue))
        return self._client.run(script, queue.namespace, keys, arguments, again=again)

    def _entry(self, job: Job) -> tuple[Any, bytes]:
        record = encode_job(job)
        if len(record) > MAX_RECORD:
            raise PayloadTooLarge(
                f"job {job.id!r} takes {len(record)} bytes, {len(record) - MAX_RECORD} more than "
                "Redis holds in a value; store the data elsewhere and pass its address"
            )
        return self._scores.due(job.enqueued_at.timestamp()), record


def _at(positions: Iterable[int], jobs: Sequence[Job]) -> list[Job]:
    return [jobs[position - 1] for position in positions]
