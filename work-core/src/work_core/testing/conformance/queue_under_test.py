"""The queue that a conformance test talks to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.job import Job, QueueName, new_id

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.testing.travel import Travel


class QueueUnderTest:
    """One queue of the backend under test, asked at the time that *travel* shows.

    Every method is one call of the contract, except that ``dequeue`` asks again while the store
    gives fewer jobs than it may. The answers of ``ack``, ``reschedule`` and ``extend`` are ids.
    """

    def __init__(self, backend: Backend, name: QueueName, travel: Travel) -> None:
        self.backend = backend
        self.name = name
        self.travel = travel

    def job(
        self,
        payload: bytes = b"",
        *,
        id: str | None = None,  # noqa: A002 - named as the field
        due: float = 0.0,
    ) -> Job:
        """Make a job that is due *due* seconds from now."""
        now = self.travel.now
        return Job(payload, id or new_id(), now, now, self.travel.after(due))

    def enqueue(self, *jobs: Job) -> None:
        """Enqueue *jobs* in one call."""
        self.backend.enqueue(self.name, jobs)

    def put(
        self,
        payload: bytes = b"",
        *,
        id: str | None = None,  # noqa: A002 - named as the field
        due: float = 0.0,
    ) -> Job:
        """Make a job, enqueue it and return it."""
        job = self.job(payload, id=id, due=due)
        self.enqueue(job)
        return job

    def dequeue(self, limit: int = 100, *, lease: float | None = None) -> list[Job]:
        """Lease up to *limit* jobs for *lease* seconds (default: one unit of time)."""
        leased: list[Job] = []
        while len(leased) < limit:
            found = self.backend.dequeue(
                self.name,
                limit - len(leased),
                at=self.travel.now,
                lease=self.travel.unit if lease is None else lease,
            )
            if not found:
                break
            leased += found
        return leased

    def ack(self, *jobs: Job) -> list[str]:
        """Ack *jobs* and return the ids of those whose lease is lost."""
        return [job.id for job in self.backend.ack(self.name, jobs)]

    def reschedule(self, *jobs: Job) -> list[str]:
        """Reschedule *jobs* and return the ids of those whose lease is lost."""
        return [job.id for job in self.backend.reschedule(self.name, jobs)]

    def extend(self, *jobs: Job, seconds: float) -> list[str]:
        """Extend the leases to *seconds* from now and return the ids of those lost."""
        until = self.travel.after(seconds)
        return [job.id for job in self.backend.extend(self.name, jobs, until=until)]

    def expire(self) -> None:
        """Travel until a lease of one unit that was taken now is over."""
        self.travel(self.travel.unit + self.backend.resolution)


def ids(jobs: list[Job]) -> list[str]:
    """Return the ids of *jobs*, in order."""
    return [job.id for job in jobs]
