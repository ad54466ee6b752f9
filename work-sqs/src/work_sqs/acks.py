"""Acks on their way: a delete request takes ten, so a few are held back for company.

They are held for a tenth of a second at most. What cannot be delivered is tried again until its
lease is over or a minute has passed; then the job will run again, and the log says so.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from work_core.errors import BackendError
from work_sqs.leases import State
from work_sqs.limits import BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_sqs.batches import Failure
    from work_sqs.connection import Connection
    from work_sqs.leases import Receipt
    from work_sqs.queues import QueueInfo

logger = logging.getLogger("work.sqs")

LINGER: Final = 0.1
_PAUSE: Final = 1.0
_PATIENCE: Final = 60.0

GONE: Final = "ReceiptHandleIsInvalid"
"""The code for a message that was deleted long ago: no ack is lost by it."""


class _Pending(NamedTuple):
    receipt: Receipt
    since: float


class AckBuffer:
    """The acks of one queue that wait for company."""

    def __init__(self, connection: Connection, info: QueueInfo) -> None:
        self._connection = connection
        self._info = info
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []
        self._timer: threading.Timer | None = None
        self._last_request = -LINGER

    @property
    def busy(self) -> bool:
        """Whether acks come so fast that one alone had better wait for company."""
        return time.monotonic() - self._last_request < LINGER

    def send(self, receipts: Sequence[Receipt]) -> dict[Receipt, Failure]:
        """Send the acks of *receipts* now, and return those that could not be taken."""
        self._last_request = time.monotonic()
        return self._connection.delete(self._info, receipts)

    def add(self, receipts: Sequence[Receipt]) -> None:
        """Take on the acks of *receipts*; full tens are sent before the call returns."""
        now = time.monotonic()
        with self._lock:
            for receipt in receipts:
                if receipt.state is State.HELD:
                    receipt.state = State.ACKING
                    self._pending.append(_Pending(receipt, now))
            full = len(self._pending) // BATCH * BATCH
            ready, self._pending = self._pending[:full], self._pending[full:]
            self._arm(LINGER)
        self._send(ready)

    def flush(self) -> None:
        """Send all that waits; what fails waits on."""
        with self._lock:
            ready, self._pending = self._pending, []
        self._send(ready)

    def close(self) -> None:
        """Send all that waits, and give up what fails, loudly."""
        self.flush()
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            left, self._pending = self._pending, []
        self._give_up(left, "the backend was closed")

    def _arm(self, delay: float) -> None:
        if self._pending and self._timer is None:
            # Not a daemon: a program that ends without closing the backend still delivers its acks.
            self._timer = threading.Timer(delay, self._on_time)
            self._timer.name = "work-sqs-acks"
            self._timer.start()

    def _on_time(self) -> None:
        with self._lock:
            self._timer = None
        self.flush()

    def _send(self, ready: list[_Pending]) -> None:
        if not ready:
            return
        try:
            failures = self.send([entry.receipt for entry in ready])
        except BackendError as error:
            self._retry(
                [entry for entry in ready if entry.receipt.state is State.ACKING], str(error)
            )
            return
        again = []
        for entry in ready:
            failure = failures.get(entry.receipt)
            if failure is not None and not failure.permanent:
                again.append(entry)
            elif failure is not None and failure.code != GONE:
                self._give_up([entry], failure.reason)
        self._retry(again, "the service had no time for them")

    def _retry(self, failed: list[_Pending], reason: str) -> None:
        if not failed:
            return
        now, patience = self._connection.clock(), time.monotonic() - _PATIENCE
        again: list[_Pending] = []
        lost: list[_Pending] = []
        for entry in failed:
            alive = entry.receipt.expires > now and entry.since > patience
            (again if alive else lost).append(entry)
        self._give_up(lost, reason)
        if again:
            logger.warning(
                "%d acks of queue %s wait to be sent again: %s", len(again), self._info.name, reason
            )
        with self._lock:
            self._pending = again + self._pending
            self._arm(_PAUSE)

    def _give_up(self, lost: list[_Pending], reason: str) -> None:
        for entry in lost:
            entry.receipt.state = State.HELD
        if lost:
            logger.error(
                "%d acks of queue %s are lost, their jobs will run again: %s",
                len(lost),
                self._info.name,
                reason,
            )
