"""Find, delete, count and list jobs."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from work_core.capabilities import Browser, JobFinder, MetricsExporter, Page, QueueMetrics
from work_core.errors import ConfigError, InvalidRecord
from work_core.job import QueueName
from work_redis import scripts
from work_redis.keys import decode, encode, job_prefix, queue_key
from work_redis.store import Store, chunks, decode_at, job_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from work_core.job import Job
    from work_redis.link import Link

_GLOB = re.compile(rb"[\\*?\[\]]")
_KEYS_PER_SCAN = 5000


class Lookup(Store, JobFinder, MetricsExporter, Browser):
    """What operators ask of a queue."""

    def find(self, queue: QueueName, ids: Sequence[str]) -> list[Job | None]:
        """Return the job of each id, ``None`` where this queue has no such job."""
        found: list[Job | None] = []
        prefix = job_prefix(queue.namespace)
        for chunk in chunks(job_keys(queue.namespace, ids)):
            reply = self._ask(scripts.FIND, queue, chunk)
            for key, pair in zip(chunk, reply, strict=True):
                found.append(_job(prefix, key, *pair) if pair else None)
        return found

    def delete(self, queue: QueueName, ids: Sequence[str]) -> list[bool]:
        """Delete the job of each id and tell for each whether it was there."""
        deleted: list[bool] = []
        for chunk in chunks(job_keys(queue.namespace, ids)):
            deleted += map(bool, self._ask(scripts.DELETE, queue, chunk))
        return deleted

    def metrics(self, queue: QueueName, *, at: datetime) -> QueueMetrics:
        """Count by score, in time that grows with the logarithm of the queue's length."""
        now = self._scores.due(at.timestamp())
        ready, total, first = self._ask(scripts.METRICS, queue, [now])
        return QueueMetrics(ready, total - ready, max(0.0, now - float(first)) if ready else 0.0)

    def queues(self, namespace: str) -> list[QueueName]:
        """Walk over all keys of the server, in steps that never hold it up for long."""
        prefix = encode(f"{namespace}:queue:")
        pattern = _GLOB.sub(rb"\\\g<0>", prefix) + b"*"
        names = {decode(key[len(prefix) :]) for key in self._scan(namespace, pattern)}
        return [QueueName(namespace, name) for name in sorted(names)]

    def jobs(self, queue: QueueName, *, limit: int = 100, after: str | None = None) -> Page:
        """Return a page of jobs; records that are no jobs are left out."""
        place = _parse_cursor(after) if after is not None else []
        values = iter(self._ask(scripts.PAGE, queue, [limit + 1, *place]))
        members = list(zip(values, values, values, values, strict=True))
        shown = members[:limit]
        prefix = job_prefix(queue.namespace)
        jobs = [_job(prefix, key, record, count) for key, _, record, count in shown if record]
        more = len(members) > len(shown) > 0
        cursor = _format_cursor(shown[-1][1], shown[-1][0]) if more else None
        return Page([job for job in jobs if job is not None], cursor)

    def _ask(self, script: scripts.Script, queue: QueueName, arguments: Sequence[Any]) -> Any:
        keys = (queue_key(queue),)
        return self._client.run(script, queue.namespace, keys, arguments, again=True)

    def _scan(self, namespace: str, pattern: bytes) -> Iterator[bytes]:
        cursor: Any = b"0"

        def step(link: Link) -> Any:
            return link.command(
                *("SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS_PER_SCAN, "TYPE", "zset")
            )

        while True:
            cursor, found = self._client.use(namespace, step, again=True)
            yield from found
            if cursor == b"0":
                return


def _job(prefix: bytes, key: bytes, record: bytes, deliveries: int) -> Job | None:
    try:
        job = decode_at(prefix, key, record)
    except InvalidRecord:
        # Not reported here: dequeue sets it aside when its turn comes.
        return None
    job.deliveries = deliveries
    return job


def _format_cursor(score: bytes, key: bytes) -> str:
    return base64.urlsafe_b64encode(score + b" " + key).decode()


def _parse_cursor(text: str) -> list[bytes]:
    try:
        score, space, key = base64.b64decode(text, altchars=b"-_", validate=True).partition(b" ")
        float(score)
    except (binascii.Error, ValueError):
        space = b""
    if not space:
        raise ConfigError(f"{text!r} is no cursor of this backend; start again without one")
    return [score, key]
