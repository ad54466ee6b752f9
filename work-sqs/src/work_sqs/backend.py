"""``sqs://``: the backend contract on Amazon SQS."""

from __future__ import annotations

import logging
import math
import os
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from math import ceil
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from work_core.backend import Backend, Exchange
from work_core.capabilities import MetricsExporter, QueueMetrics
from work_core.errors import BackendClosed, BackendError, BackendUnavailable
from work_core.job import Lease, utc_now
from work_sqs import arrivals
from work_sqs.acks import GONE, AckBuffer
from work_sqs.connection import Connection
from work_sqs.errors import QueueMissing
from work_sqs.inbox import Inbox
from work_sqs.leases import Leases, State
from work_sqs.limits import BATCH
from work_sqs.reschedule import hide, outgoing, resend
from work_sqs.schedule import longest_extension, visibility_seconds
from work_sqs.sending import refuse_future, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from work_core.job import Job, QueueName
    from work_sqs.arrivals import Arrivals
    from work_sqs.inbox import Message
    from work_sqs.leases import Receipt
    from work_sqs.message import Outgoing
    from work_sqs.queues import QueueInfo
    from work_sqs.settings import Settings

logger = logging.getLogger("work.sqs")

_FIRST_WAIT: Final = 0.02
"""Seconds after which a poll that has brought nothing is taken to be waiting."""


class _Line(NamedTuple):
    """A queue with what is on its way from it and to it."""

    info: QueueInfo
    inbox: Inbox
    acks: AckBuffer
    leases: Leases


class _Request(NamedTuple):
    """What a caller asked for, and when (on the monotonic clock)."""

    limit: int
    lease: float
    wait: float
    start: float
    wakes: int

    def left(self) -> float:
        return self.start + self.wait - time.monotonic()


class SQSBackend(Backend, MetricsExporter):
    """Jobs in Amazon SQS.

    SQS has its own clock, so *at* is ignored: the service and *clock* decide what is due. It cannot
    look jobs up by id, so an enqueue replaces a job only while this process holds its lease.
    Delivery is at least once: a handler must bear a job twice.

    Attributes:
        resolution: SQS counts in whole seconds, and hidden messages come out at the next one.
    """

    resolution = 1.0

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = Lock()
        self._closed = False
        self._start()

    def __repr__(self) -> str:
        return f"<SQSBackend at {self._connection.client.place}>"

    @property
    def requests(self) -> dict[str, int]:
        """How many requests this process has sent, by operation, retries included."""
        return self._connection.client.requests

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Store *jobs*; one whose lease this process holds takes the place of its message.

        A job due in more than 15 minutes comes out early and is hidden again, unseen by handlers.
        """
        if not jobs:
            return
        line = self._line(queue)
        info, now = line.info, self._clock()
        # Of two jobs with one id the later wins.
        messages = [outgoing(job, info, now) for job in {job.id: job for job in jobs}.values()]
        if info.fifo:
            refuse_future(messages, info)
        new: list[Outgoing] = []
        leased: list[tuple[Outgoing, Receipt]] = []
        for message in messages:
            receipt = line.leases.of_id(message.job)
            if receipt is None:
                new.append(message)
            else:
                leased.append((message, receipt))
        with self._forgetting(queue):
            if new:
                send(self._connection, info, new).check(info)
            arrivals.replace(self._connection, info, leased)

    def dequeue(
        self,
        queue: QueueName,
        limit: int,
        *,
        at: datetime,  # noqa: ARG002 - SQS has its own clock
        lease: float,
        wait: float = 0.0,
    ) -> list[Job]:
        """Lease at most *limit* jobs that are due now, oldest first among those received."""
        if limit <= 0:
            self._check_open()
            return []
        start = time.monotonic()
        line = self._line(queue)
        line.acks.flush()
        request = _Request(limit, lease, wait, start, line.inbox.wakes)
        with self._forgetting(queue):
            return self._fetch(queue, line, request)

    def exchange(
        self,
        queue: QueueName,
        done: Sequence[Job],
        limit: int,
        *,
        at: datetime,  # noqa: ARG002 - SQS has its own clock
        lease: float,
        wait: float = 0.0,
    ) -> Exchange:
        """Ack *done* and dequeue; fewer than ten acks may travel with those of the next call.

        They are sent within a tenth of a second, and before the call waits.
        """
        if limit <= 0:
            return Exchange(self.ack(queue, done), [])
        start = time.monotonic()
        line = self._line(queue)
        receipts, lost = line.leases.sort(done)
        line.acks.add(list(receipts))
        request = _Request(limit, lease, wait, start, line.inbox.wakes)
        with self._forgetting(queue):
            return Exchange(lost, self._fetch(queue, line, request))

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Delete the messages of *jobs*.

        Fewer than ten that come within a tenth of a second of others are sent with the next, a
        tenth of a second later at most; an outage then reaches the log, not the caller. A standard
        queue does not tell that a receipt is stale, so a lost lease is rarely reported.
        """
        if not jobs:
            self._check_open()
            return []
        line = self._line(queue)
        held, lost = line.leases.sort(jobs)
        if len(held) < BATCH and line.acks.busy:
            line.acks.add(list(held))
            return lost
        with self._forgetting(queue):
            failures = line.acks.send(list(held))
        for receipt, failure in failures.items():
            if not failure.permanent:
                raise BackendUnavailable(
                    f"{len(failures)} of {len(held)} acks of queue {line.info.name} were not "
                    f"taken: {failure.reason}; acking again is safe"
                )
            receipt.state = State.GONE if failure.code == GONE else State.LOST
        return lost + [held[receipt] for receipt in failures if receipt.state is State.LOST]

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Give leased *jobs* back: each is sent anew, then its old message is deleted.

        With ``retry=visibility``, and on FIFO queues, the message is hidden where it is instead: in
        one request, but with its fields as they were.
        """
        if not jobs:
            self._check_open()
            return []
        line = self._line(queue)
        with self._forgetting(queue):
            if self._in_place(line.info):
                return hide(self._connection, line.info, line.leases, jobs)
            return resend(self._connection, line.info, line.leases, jobs)

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Keep leased *jobs* hidden until *until*, or until 12 hours after they were received."""
        if not jobs:
            self._check_open()
            return []
        line, now = self._line(queue), self._clock()
        changes = {id(job): _extension(line.leases.held(job), until, now) for job in jobs}
        with self._forgetting(queue):
            refused = self._connection.change_visibility(
                line.info, [change for change in changes.values() if change is not None]
            )
        lost = []
        for job in jobs:
            change = changes[id(job)]
            if change is None or change[0] in refused:
                lost.append(job)
                continue
            receipt, seconds = change
            receipt.expires = now + timedelta(seconds=seconds)
            job.lease = Lease(min(until, receipt.expires), receipt)
        return lost

    def metrics(
        self,
        queue: QueueName,
        *,
        at: datetime,  # noqa: ARG002 - SQS has its own clock
    ) -> QueueMetrics:
        """Return the service's estimates, about a minute old.

        The latency is not a number when jobs are ready: only CloudWatch knows the age of a message.
        """
        names = ["", "Delayed", "NotVisible"]
        try:
            line = self._line(queue)
            line.acks.flush()
            info = line.info
            with self._forgetting(queue):
                answer = self._connection.client.call(
                    "get_queue_attributes",
                    info.name,
                    QueueUrl=info.url,
                    AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names],
                )
        except QueueMissing:
            return QueueMetrics(0, 0, 0.0, exact=False)
        ready, delayed, hidden = (
            int(answer["Attributes"][f"ApproximateNumberOfMessages{name}"]) for name in names
        )
        return QueueMetrics(ready, delayed + hidden, math.nan if ready else 0.0, exact=False)

    def wake(self) -> None:
        """Make every ``dequeue`` that waits in this process return early."""
        for line in list(self._lines.values()):
            line.inbox.wake()

    def close(self) -> None:
        """Send the acks that wait, give back what was fetched and not taken, and disconnect."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for line in list(self._lines.values()):
            line.inbox.close()
            line.acks.close()
        self._connection.close()
        logger.info("%s closed after %s requests", self, self.requests)

    def _start(self) -> None:
        self._connection = Connection(self._settings, self._clock)
        self._lines: dict[QueueName, _Line] = {}
        self._pid = os.getpid()

    def _check_open(self) -> None:
        if self._closed:
            raise BackendClosed(f"{self} is closed")

    def _line(self, queue: QueueName) -> _Line:
        self._check_open()
        if self._pid != os.getpid():
            # A child process shares neither sockets nor threads with its parent.
            self._lock = Lock()
            self._start()
        line = self._lines.get(queue)
        if line is None:
            info = self._connection.queues.get(queue)
            with self._lock:
                self._check_open()
                new = _Line(
                    info,
                    Inbox(self._connection, info),
                    AckBuffer(self._connection, info),
                    Leases(info.url),
                )
                line = self._lines.setdefault(queue, new)
        return line

    def _fetch(self, queue: QueueName, line: _Line, request: _Request) -> list[Job]:
        jobs: list[Job] = []
        while len(jobs) < request.limit:
            wait = 0.0 if jobs else request.left()
            left = request.limit - len(jobs)
            try:
                messages = self._take(line, left, wait, request)
            except BackendError as error:
                if not jobs:
                    raise
                logger.info("took only %d jobs of queue %s: %s", len(jobs), line.info.name, error)
                break
            if not messages:
                break
            found = arrivals.sort_out(
                messages,
                line.leases,
                now=self._clock(),
                lease=request.lease,
                in_place=self._in_place(line.info),
            )
            jobs += found.due
            self._handle_others(queue, line.info, found)
            if len(found.due) == len(messages):
                break
        self._sleep_until_due(jobs)
        if not line.info.fifo:
            jobs.sort(key=lambda job: (job.enqueued_at, job.id))
        return jobs

    def _take(self, line: _Line, limit: int, wait: float, request: _Request) -> list[Message]:
        now, visibility = time.monotonic(), visibility_seconds(request.lease)
        deadline = now + max(wait, 0.0)
        first = min(deadline, now + _FIRST_WAIT)
        take = partial(line.inbox.take, limit, visibility, poll=request.wait, wakes=request.wakes)
        messages = take(deadline=first)
        if not messages:
            line.acks.flush()
            if deadline > first and line.inbox.wakes == request.wakes:
                messages = take(deadline=deadline)
        return messages

    def _sleep_until_due(self, jobs: Sequence[Job]) -> None:
        if jobs:
            latest = max(job.enqueued_at for job in jobs)
            time.sleep(max((latest - self._clock()).total_seconds(), 0.0))

    def _handle_others(self, queue: QueueName, info: QueueInfo, found: Arrivals) -> None:
        if found.early:
            arrivals.hop(self._connection, info, found.early)
        for message, error in found.invalid:
            arrivals.set_aside(self._connection, info, message)
            self.report_invalid(queue, message.id, error)

    def _in_place(self, info: QueueInfo) -> bool:
        return info.fifo or self._settings.retry == "visibility"

    @contextmanager
    def _forgetting(self, queue: QueueName) -> Iterator[None]:
        """Look the queue up again after a call found that it is gone."""
        try:
            yield
        except QueueMissing:
            self._connection.queues.forget(queue)
            with self._lock:
                self._lines.pop(queue, None)
            raise


def _extension(
    receipt: Receipt | None, until: datetime, now: datetime
) -> tuple[Receipt, int] | None:
    if receipt is None:
        return None
    longest = longest_extension(receipt.received, now)
    seconds = max(ceil((until - now).total_seconds()), 0)
    if seconds > 0 and longest == 0:
        return None
    return receipt, min(seconds, longest)
