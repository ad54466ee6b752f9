"""The backend contract over any SQL store."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, NamedTuple, ParamSpec, TypeVar

from work_core.backend import Backend, Exchange
from work_core.capabilities import (
    Browser,
    JobFinder,
    MetricsExporter,
    OnceKeys,
    Page,
    QueueMetrics,
    Semaphores,
    TransactionalEnqueue,
)
from work_core.errors import BackendClosed
from work_core.job import Lease, QueueName
from work_sql import rows as as_rows
from work_sql.doorbell import Doorbell
from work_sql.pages import decode_cursor, encode_cursor
from work_sql.rows import (
    from_micros,
    in_order,
    namespace_prefix,
    new_token,
    queue_key,
    to_micros,
    to_pairs,
    to_rows,
    token_of,
)
from work_sql.scan import Scan
from work_sql.store import BEGINNING, Fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from work_core.errors import InvalidRecord
    from work_core.job import Job
    from work_sql.doorbell import Waiter
    from work_sql.rows import Row
    from work_sql.store import Store

P = ParamSpec("P")
R = TypeVar("R")

_LOCKED_ROW_PAUSE = 0.01


def _translated(
    method: Callable[Concatenate[SQLBackend, P], R],
) -> Callable[Concatenate[SQLBackend, P], R]:
    """Let no driver error across the edge, and nobody in after ``close``."""

    @wraps(method)
    def call(self: SQLBackend, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._closed:
            raise BackendClosed(f"{self} is closed; open it again")
        try:
            return method(self, *args, **kwargs)
        except self._store.errors as error:
            raise self._store.translate(error) from error

    return call  # type: ignore[return-value]  # wraps() makes its first argument positional


class _Ask(NamedTuple):
    """What a dequeue asks for, its time and the length of its lease in microseconds."""

    queue: QueueName
    key: str
    limit: int
    at: int
    lease: int


def _ask(queue: QueueName, limit: int, at: datetime, lease: float) -> _Ask:
    return _Ask(queue, queue_key(queue), limit, to_micros(at), int(lease * 1e6))


class SQLBackend(
    Backend,
    JobFinder,
    MetricsExporter,
    Browser,
    Semaphores,
    OnceKeys,
    TransactionalEnqueue,
):
    """Jobs in a table of SQLite, PostgreSQL, MySQL or MariaDB.

    A waiting ``dequeue`` holds no connection and no transaction.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self.resolution = store.resolution
        self._closed = False
        self._doorbell = Doorbell()
        self._watching = threading.Lock()
        self._watched_by = 0
        self._scans: defaultdict[str, Scan] = defaultdict(Scan)

    def __repr__(self) -> str:
        return f"<SQLBackend {self._name}>"

    @_translated
    def enqueue(
        self, queue: QueueName, jobs: Sequence[Job], *, connection: object | None = None
    ) -> None:
        """Store *jobs*, with a *connection* in the caller's transaction.

        A *connection* is an SQLAlchemy ``Session``, ``Connection`` or ``AsyncSession`` (inside its
        ``run_sync``), or a connection of the driver itself.
        """
        if not jobs:
            return
        key = queue_key(queue)
        rows = to_rows(jobs)
        self._store.upsert(queue.namespace, key, rows, connection)
        self._put_back(key, min(row[0] for row in rows), announce=connection is None)

    @_translated
    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Lease due jobs; see ``Backend.dequeue``."""
        return self._exchange(_ask(queue, limit, at, lease), (), wait).jobs

    @_translated
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
        """Ack *done* and lease due jobs in one transaction; see ``Backend.exchange``."""
        return self._exchange(_ask(queue, limit, at, lease), done, wait)

    @_translated
    def ack(
        self, queue: QueueName, jobs: Sequence[Job], *, connection: object | None = None
    ) -> list[Job]:
        """Remove *jobs*, with a *connection* in the caller's transaction."""
        if not jobs:
            return []
        pairs = to_pairs(jobs)
        if connection is None:
            removed, _ = self._store.exchange(queue.namespace, pairs, None)
        else:
            removed = self._store.remove(queue.namespace, pairs, connection)
        return self._lost(queue, jobs, removed, connection)

    @_translated
    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Give *jobs* back; see ``Backend.reschedule``."""
        if not jobs:
            return []
        key = queue_key(queue)
        rows = to_rows(jobs)
        tokens = {job.id: token_of(job) for job in jobs}
        written = self._store.rewrite(queue.namespace, key, rows, [tokens[row[1]] for row in rows])
        self._put_back(key, min(row[0] for row in rows), announce=True)
        return [job for job in jobs if job.id not in written]

    @_translated
    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Keep *jobs* hidden until *until*; see ``Backend.extend``."""
        if not jobs:
            return []
        held = self._store.prolong(queue.namespace, to_pairs(jobs), to_micros(until))
        lost = []
        for job in jobs:
            if job.lease is not None and job.id in held:
                job.lease = Lease(until, job.lease.token)
            else:
                lost.append(job)
        return lost

    @_translated
    def find(self, queue: QueueName, ids: Sequence[str]) -> list[Job | None]:
        """Return the job of each id or ``None``; see ``JobFinder.find``."""
        if not ids:
            return []
        rows = self._store.find(queue.namespace, queue_key(queue), ids)
        found = {job.id: job for job in self._to_jobs(queue, rows, None)}
        return [found.get(identity) for identity in ids]

    @_translated
    def delete(self, queue: QueueName, ids: Sequence[str]) -> list[bool]:
        """Delete the job of each id; see ``JobFinder.delete``."""
        if not ids:
            return []
        deleted = self._store.delete(queue.namespace, queue_key(queue), ids)
        answers = []
        for identity in ids:
            answers.append(identity in deleted)
            deleted.discard(identity)
        return answers

    @_translated
    def metrics(self, queue: QueueName, *, at: datetime) -> QueueMetrics:
        """Count the jobs of *queue*; a count that reached its limit is not exact."""
        now = to_micros(at)
        counts = self._store.count(queue_key(queue), now)
        latency = 0.0 if counts.oldest is None else (now - counts.oldest) / 1e6
        return QueueMetrics(counts.ready, counts.scheduled, latency, counts.exact)

    @_translated
    def queues(self, namespace: str) -> list[QueueName]:
        """Return the queues that hold jobs; see ``Browser.queues``."""
        prefix = namespace_prefix(namespace)
        keys = self._store.keys(prefix)
        return sorted(QueueName(namespace, key.removeprefix(prefix)) for key in keys)

    @_translated
    def jobs(self, queue: QueueName, *, limit: int = 100, after: str | None = None) -> Page:
        """Return one page of jobs in due order; see ``Browser.jobs``."""
        place = BEGINNING if after is None else decode_cursor(after)
        rows = self._store.page(queue_key(queue), place, limit + 1)
        shown = rows[:limit]
        cursor = encode_cursor(shown[-1]) if shown and len(rows) > limit else None
        return Page(self._to_jobs(queue, shown, None), cursor)

    @_translated
    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: datetime, until: datetime
    ) -> bool:
        """Take or renew one of *limit* places; see ``Semaphores.acquire``."""
        return self._store.acquire(
            namespace, key, holder, limit=limit, at=to_micros(at), until=to_micros(until)
        )

    @_translated
    def release(self, namespace: str, key: str, holder: str) -> None:
        """Give a place back; see ``Semaphores.release``."""
        self._store.release(namespace, key, holder)

    @_translated
    def claim(
        self, namespace: str, key: str, owner: str, *, at: datetime, period: float
    ) -> str | None:
        """Claim *key* for a period; see ``OnceKeys.claim``."""
        now = to_micros(at)
        until = now + int(period * 1e6)
        holder = self._store.claim(namespace, key, owner, at=now, until=until)
        return None if holder == owner else holder

    @_translated
    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Free *key*; see ``OnceKeys.forget``."""
        return self._store.forget(namespace, key, owner)

    def wake(self) -> None:
        """Make every waiting ``dequeue`` of this object return early."""
        self._doorbell.wake()

    def close(self) -> None:
        """Close all connections and end the threads; waiting calls return."""
        if not self._closed:
            self._closed = True
            self._doorbell.wake()
            self._store.close()

    def _exchange(self, ask: _Ask, done: Sequence[Job], wait: float) -> Exchange:
        if ask.limit <= 0:
            return Exchange(self.ack(ask.queue, done), [])
        started = time.monotonic()
        result = self._lease(ask, done)
        if result.jobs or wait <= 0:
            return result
        self._watch()
        with self._doorbell.waiting(ask.key) as waiter:
            try:
                jobs = self._wait(waiter, ask, started, started + wait)
            except BackendClosed:  # by another thread, while this one waited
                jobs = []
        return Exchange(result.lost, jobs)

    def _wait(self, waiter: Waiter, ask: _Ask, started: float, deadline: float) -> list[Job]:
        while not (waiter.woken or self._closed):
            waiter.listen()
            now = time.monotonic()
            later = ask._replace(at=ask.at + int((now - started) * 1e6))
            jobs = self._lease(later, (), insist=now >= deadline).jobs
            if jobs or now >= deadline:
                return jobs
            waiter.wait(min(deadline - now, self._pause(later, now - started)))
        return []

    def _pause(self, ask: _Ask, idle: float) -> float:
        """Return how long to wait for a ring before looking again."""
        poll = self._store.poll(idle)
        due = self._store.next_due(ask.key, ask.at)
        if due is None:
            return poll
        # A row that is due but was not leased is locked by somebody's open transaction.
        return min(poll, (due - ask.at) / 1e6 if due > ask.at else _LOCKED_ROW_PAUSE)

    def _lease(self, ask: _Ask, done: Sequence[Job], *, insist: bool = True) -> Exchange:
        scan = self._scans[ask.key]
        start = scan.start(ask.at)
        fetch = Fetch(ask.key, ask.limit, ask.at, ask.at + ask.lease, new_token(), start)
        removed, rows = self._fetch(scan, ask.queue, done, fetch)
        if not rows and start is not BEGINNING and (insist or scan.may_restart()):
            _, rows = self._fetch(scan, ask.queue, (), fetch._replace(floor=BEGINNING))
        lost = self._lost(ask.queue, done, removed, None)
        if not rows:
            return Exchange(lost, [])
        held = Lease(from_micros(fetch.until), fetch.token)
        return Exchange(lost, self._to_jobs(ask.queue, rows, held))

    def _fetch(
        self, scan: Scan, queue: QueueName, done: Sequence[Job], fetch: Fetch
    ) -> tuple[int, Sequence[Row]]:
        pairs = to_pairs(done) if done else ()
        began = time.monotonic()
        removed, found = self._store.exchange(queue.namespace, pairs, fetch)
        cost = time.monotonic() - began
        rows = in_order(found)
        scan.found(rows, fetch.limit, fetch.at, start=fetch.floor, cost=cost)
        return removed, rows

    def _lost(
        self, queue: QueueName, jobs: Sequence[Job], removed: int, connection: object
    ) -> list[Job]:
        if removed == len(jobs):
            return []
        present = self._store.present(queue.namespace, [job.id for job in jobs], connection)
        return [job for job in jobs if job.id in present]

    def _to_jobs(self, queue: QueueName, rows: Iterable[Row], lease: Lease | None) -> list[Job]:
        invalid: list[tuple[str, InvalidRecord]] = []
        jobs = as_rows.to_jobs(rows, lease, invalid)
        if invalid:
            ids = [identity for identity, _ in invalid]
            self._store.set_aside(queue.namespace, queue_key(queue), ids)
            for identity, error in invalid:
                self.report_invalid(queue, identity, error)
        return jobs

    def _put_back(self, key: str, due: int, *, announce: bool) -> None:
        if key in self._scans:
            self._scans[key].put_back(due)
        if announce:
            self._doorbell.ring(key)
            self._store.announce(key, due)

    def _watch(self) -> None:
        process = os.getpid()  # threads do not survive a fork
        if self._watched_by != process:
            with self._watching:
                if self._watched_by != process:
                    self._store.watch(self._doorbell)
                    self._watched_by = process
