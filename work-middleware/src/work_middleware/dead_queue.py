"""What an operator does with dead letters, on any backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.capabilities import Browser, JobFinder
from work_core.job import QueueName, utc_now
from work_middleware.dead_letter import DeadLetter, dead_queue, letter_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from work_core.backend import Backend
    from work_core.job import Job

_BATCH = 100
_LEASE = 300.0


class DeadQueue:
    """The dead letters of one queue.

    Built from enqueue, dequeue and ack, so that it works on every backend; where the backend can
    find or browse jobs, single letters are found at once and a list disturbs nobody. Elsewhere
    letters are leased for as long as a call takes, and another call does not see them meanwhile.
    """

    def __init__(self, backend: Backend, queue: QueueName) -> None:
        self.queue = queue
        self.name = dead_queue(queue)
        self._backend = backend

    def letters(self, limit: int) -> list[DeadLetter]:
        """Return at most *limit* letters, the oldest first."""
        if isinstance(self._backend, Browser):
            jobs = self._backend.jobs(self.name, limit=limit).jobs
        else:
            jobs = self._backend.dequeue(self.name, limit, at=utc_now(), lease=_LEASE)
            self._backend.reschedule(self.name, jobs)
        return [DeadLetter.from_job(job) for job in jobs]

    def find(self, job_id: str) -> DeadLetter | None:
        """Return the letter of the job *job_id*."""
        found: list[Job] = []
        if isinstance(self._backend, JobFinder):
            found = [job for job in self._backend.find(self.name, [letter_id(job_id)]) if job]
        else:
            wanted = letter_id(job_id)
            for jobs in self._leased(lambda job: job.id == wanted):
                found = jobs
                self._backend.reschedule(self.name, jobs)
                break
        return DeadLetter.from_job(found[0]) if found else None

    def replay(self, ids: Collection[str] | None = None) -> int:
        """Enqueue the jobs *ids*, or all, for a new life, and return how many.

        A job is enqueued before its letter goes: a crash between the two leaves the letter behind.
        """
        return self._remove(ids, None, self._revive)

    def purge(self, ids: Collection[str] | None = None, *, before: datetime | None = None) -> int:
        """Delete the letters of the jobs *ids*, or all, that died *before*; return how many."""
        return self._remove(ids, before, None)

    def _revive(self, jobs: list[Job]) -> None:
        self._backend.enqueue(self.queue, [DeadLetter.from_job(job).revived() for job in jobs])

    def _remove(
        self,
        ids: Collection[str] | None,
        before: datetime | None,
        first: Callable[[list[Job]], None] | None,
    ) -> int:
        if ids is not None and isinstance(self._backend, JobFinder):
            return self._remove_found(self._backend, ids, first)
        wanted = None if ids is None else {letter_id(job_id) for job_id in ids}
        count = 0
        for jobs in self._leased(lambda job: wanted is None or job.id in wanted, before):
            if first is not None:
                first(jobs)
            count += len(jobs) - len(self._backend.ack(self.name, jobs))
        return count

    def _remove_found(
        self, finder: JobFinder, ids: Collection[str], first: Callable[[list[Job]], None] | None
    ) -> int:
        jobs = [job for job in finder.find(self.name, [letter_id(each) for each in ids]) if job]
        if first is not None and jobs:
            first(jobs)
        return sum(finder.delete(self.name, [job.id for job in jobs]))

    def _leased(
        self, wanted: Callable[[Job], bool], before: datetime | None = None
    ) -> Iterator[list[Job]]:
        """Lease batches of letters and yield the wanted ones; give the others back at the end."""
        others: list[Job] = []
        try:
            while jobs := self._backend.dequeue(self.name, _BATCH, at=utc_now(), lease=_LEASE):
                old = [job for job in jobs if before is None or job.created_at < before]
                mine = [job for job in old if wanted(job)]
                chosen = {job.id for job in mine}
                others += [job for job in jobs if job.id not in chosen]
                if mine:
                    yield mine
                if len(old) < len(jobs):
                    return
        finally:
            if others:
                self._backend.reschedule(self.name, others)
