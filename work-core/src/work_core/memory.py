"""``memory://``: the backend contract in its plainest form, for tests and for a single process.

Jobs live in this process and are gone with it. Records are kept as bytes, as any store keeps them,
so that what cannot be stored elsewhere cannot be stored here either.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from work_core.backend import Backend
from work_core.capabilities import (
    Browser,
    JobFinder,
    MetricsExporter,
    OnceKeys,
    Page,
    QueueMetrics,
    Semaphores,
)
from work_core.codec import decode_job, encode_job
from work_core.errors import BackendClosed, ConfigError, InvalidRecord, InvalidURL
from work_core.hookspecs import hookimpl
from work_core.job import Job, Lease, QueueName
from work_core.timeline import Timeline
from work_core.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_core.timeline import Key


class _Entry:
    """One stored job: its record and what the store knows beside it."""

    __slots__ = ("deliveries", "record", "token", "visible_at")

    def __init__(self, record: bytes, visible_at: datetime) -> None:
        self.record = record
        self.visible_at = visible_at
        self.token = 0  # that of the lease; 0 is never one
        self.deliveries = 0


class _Store:
    """The jobs of one queue: by id, and by the time from which they can be leased."""

    __slots__ = ("changed", "entries", "timeline")

    def __init__(self, lock: threading.RLock) -> None:
        self.entries: dict[str, _Entry] = {}
        self.timeline = Timeline()
        self.changed = threading.Condition(lock)

    def put(self, job_id: str, record: bytes, due: datetime) -> None:
        self.remove(job_id)
        self.entries[job_id] = _Entry(record, due)
        self.timeline.add((due, job_id))

    def remove(self, job_id: str) -> bool:
        entry = self.entries.pop(job_id, None)
        if entry is None:
            return False
        self.timeline.remove((entry.visible_at, job_id))
        return True

    def hide(self, job_id: str, entry: _Entry, until: datetime) -> None:
        self.timeline.remove((entry.visible_at, job_id))
        entry.visible_at = until
        self.timeline.add((until, job_id))

    def leased(self, job: Job) -> _Entry | None:
        """Return the entry of *job* if *job* holds its lease."""
        entry = self.entries.get(job.id)
        if entry is None or job.lease is None or job.lease.token != entry.token:
            return None
        return entry


class MemoryBackend(Backend, JobFinder, MetricsExporter, Browser, Semaphores, OnceKeys):
    """Keep jobs in this process: the reference implementation of the contract.

    A call costs the same with a million jobs waiting as with ten.

    Attributes:
        invalid: the records that were set aside because they are no jobs, by queue and id.
    """

    def __init__(self) -> None:
        # Reentrant, because report_invalid() may be the caller's code and runs inside.
        self._lock = threading.RLock()
        self._stores: dict[QueueName, _Store] = {}
        self._places: dict[tuple[str, str], dict[str, datetime]] = {}
        self._claims: dict[tuple[str, str], tuple[str, datetime]] = {}
        self._claims_to_sweep = 1000
        self._last_token = 0
        self._wakes = 0
        self._closed = False
        self.invalid: dict[tuple[QueueName, str], bytes] = {}

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Store *jobs*, replacing those with the same ids."""
        records = [(job.id, encode_job(job), job.enqueued_at) for job in jobs]
        with self._lock:
            store = self._store(queue)
            for record in records:
                store.put(*record)
            store.changed.notify_all()

    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Lease the first jobs that are due, waiting for one if there is none."""
        hidden = timedelta(seconds=lease)
        with self._lock:
            store = self._store(queue)
            jobs = self._lease(queue, store, limit, at, at + hidden)
            if jobs or wait <= 0 or limit <= 0:
                return jobs
            wakes, start = self._wakes, time.monotonic()
            while not jobs and wakes == self._wakes:
                waited = time.monotonic() - start
                if waited >= wait:
                    break
                now = at + timedelta(seconds=waited)
                store.changed.wait(min(wait - waited, _seconds_to_first(store.timeline, now)))
                if self._closed:
                    break
                now = at + timedelta(seconds=time.monotonic() - start)
                jobs = self._lease(queue, store, limit, now, now + hidden)
            return jobs

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Remove *jobs* that are done; return those whose lease somebody else has."""
        lost = []
        with self._lock:
            store = self._store(queue)
            for job in jobs:
                if store.leased(job):
                    store.remove(job.id)
                elif job.id in store.entries:
                    lost.append(job)
        return lost

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Store *jobs* as they are now, free to be leased when due; return those not held."""
        records = [(job.id, encode_job(job), job.enqueued_at) for job in jobs]
        lost = []
        with self._lock:
            store = self._store(queue)
            for job, record in zip(jobs, records, strict=True):
                if store.leased(job):
                    store.put(*record)
                else:
                    lost.append(job)
            store.changed.notify_all()
        return lost

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Hide *jobs* until *until*; return those not held."""
        lost = []
        with self._lock:
            store = self._store(queue)
            for job in jobs:
                entry = store.leased(job)
                if entry:
                    store.hide(job.id, entry, until)
                    job.lease = Lease(until, entry.token)
                else:
                    lost.append(job)
            store.changed.notify_all()
        return lost

    def next_due(self, queue: QueueName) -> datetime | None:
        """Return when the next job of *queue* can be leased; ``None`` without any."""
        with self._lock:
            first = self._store(queue).timeline.first()
            return first[0] if first else None

    def wake(self) -> None:
        """Make every waiting ``dequeue`` return."""
        with self._lock:
            self._wakes += 1
            for store in self._stores.values():
                store.changed.notify_all()

    def close(self) -> None:
        """Make waiting calls return and refuse later ones."""
        with self._lock:
            self._closed = True
            self.wake()

    def find(self, queue: QueueName, ids: Sequence[str]) -> list[Job | None]:
        """Return the job of each id, or ``None``."""
        with self._lock:
            store = self._store(queue)
            return [self._read(queue, store, job_id) for job_id in ids]

    def delete(self, queue: QueueName, ids: Sequence[str]) -> list[bool]:
        """Delete the job of each id, and tell whether it was there."""
        with self._lock:
            store = self._store(queue)
            return [store.remove(job_id) for job_id in ids]

    def metrics(self, queue: QueueName, *, at: datetime) -> QueueMetrics:
        """Count the jobs of *queue*; an expired lease counts as ready."""
        with self._lock:
            store = self._store(queue)
            ready = store.timeline.count(at)
            first = store.timeline.first()
            latency = (at - first[0]).total_seconds() if first and ready else 0.0
            return QueueMetrics(ready, len(store.entries) - ready, latency)

    def queues(self, namespace: str) -> list[QueueName]:
        """Return the queues of *namespace* that hold jobs."""
        with self._lock:
            self._check_open()
            return sorted(
                queue
                for queue, store in self._stores.items()
                if queue.namespace == namespace and store.entries
            )

    def jobs(self, queue: QueueName, *, limit: int = 100, after: str | None = None) -> Page:
        """Return a page of jobs; a leased one stands where its lease ends."""
        start = _read_cursor(after) if after is not None else None
        with self._lock:
            store = self._store(queue)
            keys = store.timeline.after(start, limit + 1)
            found = [self._read(queue, store, job_id) for _, job_id in keys[:limit]]
        cursor = _cursor(keys[limit - 1]) if len(keys) > limit else None
        return Page([job for job in found if job], cursor)

    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: datetime, until: datetime
    ) -> bool:
        """Take or renew one of *limit* places under *key*."""
        with self._lock:
            self._check_open()
            places = self._places.get((namespace, key), {})
            places = {name: end for name, end in places.items() if end > at}
            granted = holder in places or len(places) < limit
            if granted:
                places[holder] = until
            self._places[namespace, key] = places
            return granted

    def release(self, namespace: str, key: str, holder: str) -> None:
        """Give a place back."""
        with self._lock:
            self._check_open()
            places = self._places.get((namespace, key), {})
            places.pop(holder, None)
            if not places:
                self._places.pop((namespace, key), None)

    def claim(
        self, namespace: str, key: str, owner: str, *, at: datetime, period: float
    ) -> str | None:
        """Claim *key* for *owner*, or return who has it."""
        with self._lock:
            self._check_open()
            found, end = self._claims.get((namespace, key), ("", at))
            if end <= at:
                self._sweep_claims(at)
                self._claims[namespace, key] = (owner, at + timedelta(seconds=period))
                return None
            return None if found == owner else found

    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Free *key* if *owner* holds it."""
        with self._lock:
            self._check_open()
            found, _ = self._claims.get((namespace, key), (None, None))
            if found != owner:
                return False
            del self._claims[namespace, key]
            return True

    def _check_open(self) -> None:
        if self._closed:
            raise BackendClosed("this memory backend was closed; open another")

    def _store(self, queue: QueueName) -> _Store:
        self._check_open()
        store = self._stores.get(queue)
        if store is None:
            store = self._stores[queue] = _Store(self._lock)
        return store

    def _sweep_claims(self, at: datetime) -> None:
        # Doubling the mark makes the cost of a sweep constant per claim.
        if len(self._claims) >= self._claims_to_sweep:
            self._claims = {name: claim for name, claim in self._claims.items() if claim[1] > at}
            self._claims_to_sweep = max(1000, 2 * len(self._claims))

    def _lease(
        self, queue: QueueName, store: _Store, limit: int, at: datetime, until: datetime
    ) -> list[Job]:
        jobs: list[Job] = []
        while len(jobs) < limit:
            due = store.timeline.take(limit - len(jobs), at)
            if not due:
                break
            self._last_token += 1
            lease = Lease(until, self._last_token)
            for _, job_id in due:
                store.timeline.add((until, job_id))
                entry = store.entries[job_id]
                entry.visible_at = until
                job = self._read(queue, store, job_id)
                if job:
                    entry.token = self._last_token
                    entry.deliveries = job.deliveries = entry.deliveries + 1
                    job.lease = lease
                    jobs.append(job)
        return jobs

    def _read(self, queue: QueueName, store: _Store, job_id: str) -> Job | None:
        """Return the job, or set the record aside when it is none."""
        entry = store.entries.get(job_id)
        if entry is None:
            return None
        try:
            job = decode_job(entry.record)
        except InvalidRecord as error:
            self.invalid[queue, job_id] = entry.record
            store.remove(job_id)
            self.report_invalid(queue, job_id, error)
            return None
        job.deliveries = entry.deliveries
        return job


@hookimpl
def work_open_backend(url: str) -> MemoryBackend:
    """Open a store of its own for ``memory://``."""
    parsed = parse_url(url)
    if parsed.netloc or parsed.path:
        raise InvalidURL(f"{parsed}: memory:// has neither host nor path; it lives in this process")
    with parsed.options():
        return MemoryBackend()


@hookimpl
def work_backend_class() -> type[MemoryBackend]:
    """Tell tools what ``memory://`` can do."""
    return MemoryBackend


def _seconds_to_first(timeline: Timeline, at: datetime) -> float:
    first = timeline.first()
    return (first[0] - at).total_seconds() if first else threading.TIMEOUT_MAX


def _cursor(key: Key) -> str:
    moment, job_id = key
    return f"{moment.astimezone(UTC).isoformat()} {job_id}"


def _read_cursor(text: str) -> Key:
    moment, _, job_id = text.partition(" ")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), job_id
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{text!r} is no cursor of a memory backend; start without one"
        ) from error
