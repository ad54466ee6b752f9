"""The leases that this process holds.

SQS does not tell a stale receipt from a good one, and cannot look a job up. Within one process both
can be done: a message received again voids the lease before, and an enqueue finds the lease of its
job.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from work_core.job import Job


class State(Enum):
    """What became of a lease, as far as is known here."""

    HELD = "held"
    ACKING = "acking"
    GONE = "gone"
    LOST = "lost"


@dataclass(slots=True, eq=False, weakref_slot=True)
class Receipt:
    """What SQS knows a delivery by; the token of a lease.

    Attributes:
        url: the queue that delivered.
        handle: the service's receipt handle.
        received: when the message came, by the backend's clock.
        expires: when it becomes visible again, by the same clock.
        state: ``ACKING`` while an ack waits to be sent, ``GONE`` once the message is deleted,
            ``LOST`` when the job was given back, replaced or received again.
    """

    url: str
    handle: str
    received: datetime
    expires: datetime
    state: State = State.HELD


class Leases:
    """The leases of one queue, for as long as somebody keeps the job."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = Lock()
        self._by_message: WeakValueDictionary[str, Receipt] = WeakValueDictionary()
        self._by_job: WeakValueDictionary[str, Receipt] = WeakValueDictionary()

    def add(self, message_id: str, job_id: str, receipt: Receipt) -> bool:
        """Note a new lease and return True, or False for what this process holds already.

        A message delivered twice has one holder, who goes on with the newer receipt. A lease that
        was over is lost.
        """
        with self._lock:
            older = self._by_message.get(message_id)
            if older is not None and older.state in {State.HELD, State.ACKING}:
                if older.expires > receipt.received:
                    older.handle, older.received = receipt.handle, receipt.received
                    older.expires = max(older.expires, receipt.expires)
                    return False
                older.state = State.LOST if older.state is State.HELD else older.state
            self._by_message[message_id] = receipt
            self._by_job[job_id] = receipt
            return True

    def receipt(self, job: Job) -> Receipt | None:
        """Return the receipt that *job* carries, if it is one of this queue."""
        receipt = job.lease.token if job.lease is not None else None
        return receipt if isinstance(receipt, Receipt) and receipt.url == self._url else None

    def held(self, job: Job) -> Receipt | None:
        """Return the receipt that *job* carries, if its lease still holds."""
        receipt = self.receipt(job)
        return receipt if receipt is not None and receipt.state is State.HELD else None

    def of_id(self, job: Job) -> Receipt | None:
        """Return the receipt of the lease that is held on the id of *job*, carried or not."""
        receipt = self.held(job) or self._by_job.get(job.id)
        return receipt if receipt is not None and receipt.state is State.HELD else None

    def sort(self, jobs: Sequence[Job]) -> tuple[dict[Receipt, Job], list[Job]]:
        """Return the jobs whose lease is held, by receipt, and those known to have lost it."""
        held: dict[Receipt, Job] = {}
        lost: list[Job] = []
        for job in jobs:
            receipt = self.receipt(job)
            if receipt is None or receipt.state is State.LOST:
                lost.append(job)
            elif receipt.state is State.HELD:
                held[receipt] = job
        return held, lost
