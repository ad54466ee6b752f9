"""Backends that each break one obligation, with the tests of the suite that say so.

``test_mutants.py`` runs this module; by itself it is not collected.
"""

# The docstring of a class says what its one method does wrong, often with arguments unread.
# ruff: noqa: D102

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from work_core.capabilities import Page, QueueMetrics
from work_core.job import Job, Lease, QueueName
from work_core.memory import MemoryBackend
from work_core.testing import BackendConformance
from work_core.testing.conformance import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MUTANTS: list[type[Mutant]] = []


class Mutant(MemoryBackend):
    """A backend with one fault."""

    caught_by: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        MUTANTS.append(cls)


class AcksWithoutFencing(Mutant):
    """Whoever acks removes the job."""

    caught_by = ("test_stale_ack_changes_nothing", "test_stale_ack_keeps_the_job")

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        self.delete(queue, [job.id for job in jobs])
        return []


class ReschedulesWithoutFencing(Mutant):
    """Whoever reschedules wins."""

    caught_by = ("test_stale_reschedule_changes_nothing",)

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        there = self.find(queue, [job.id for job in jobs])
        self.enqueue(queue, [job for job, found in zip(jobs, there, strict=True) if found])
        return []


class ExtendsWithoutFencing(Mutant):
    """Whoever extends moves the end of the lease."""

    caught_by = ("test_stale_extend_changes_nothing",)

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        store = self._store(queue)
        for job in jobs:
            if job.id in store.entries:
                store.hide(job.id, store.entries[job.id], until)
        return []


class ExtendsDeletedJobs(Mutant):
    """Extending writes the job's due time, whether the job is there or not."""

    caught_by = ("test_deleted_job_is_not_extended", "test_done_job_is_not_brought_back")

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        gone = [job for job in jobs if job.id not in self._store(queue).entries]
        self.enqueue(queue, gone)
        held = [job for job in jobs if job not in gone]
        return super().extend(queue, held, until=until)


class RevivesDeletedJobs(Mutant):
    """Rescheduling a job that was deleted stores it again."""

    caught_by = ("test_deleted_job_is_not_rescheduled", "test_done_job_is_not_brought_back")

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        gone = [job for job in jobs if job.id not in self._store(queue).entries]
        self.enqueue(queue, gone)
        return super().reschedule(queue, [job for job in jobs if job not in gone])


class KeepsTheLeaseOfReplacedJobs(Mutant):
    """A replaced job still belongs to whoever leased the old one."""

    caught_by = ("test_replacing_voids_the_lease", "test_one_lost_lease_spares_the_others")

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        entries = self._store(queue).entries
        tokens = {job.id: entries[job.id].token for job in jobs if job.id in entries}
        super().enqueue(queue, jobs)
        for job_id, token in tokens.items():
            entries[job_id].token = token


class FencesByTime(Mutant):
    """The lease is known by its end: two leases of one instant are the same."""

    caught_by = ("test_leases_of_one_instant_differ", "test_reschedule_ends_the_lease")

    def _lease(self, *arguments: Any) -> list[Job]:
        self._last_token = int(arguments[-1].timestamp() * 1_000_000)
        return super()._lease(*arguments)


class ReportsDoneJobsAsLost(Mutant):
    """Acking twice is answered as if somebody else held the job."""

    caught_by = ("test_acking_twice_is_no_error", "test_deleted_job_may_be_acked")

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        gone = [job for job in jobs if job.id not in self._store(queue).entries]
        return gone + super().ack(queue, jobs)


class OrdersByIdOnly(Mutant):
    """The due time hides a job but does not order it."""

    caught_by = ("test_oldest_due_first", "test_close_due_times_are_told_apart")

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        return sorted(super().dequeue(queue, limit, **options), key=lambda job: job.id)


class OrdersByDueTimeOnly(Mutant):
    """Equal due times come out in any order."""

    caught_by = ("test_equal_due_times_come_in_id_order",)

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        jobs = super().dequeue(queue, limit, **options)
        jobs.reverse()
        return sorted(jobs, key=lambda job: job.enqueued_at)


class ComesEarly(Mutant):
    """Jobs are due 50 ms before their time."""

    caught_by = ("test_delay_is_never_early", "test_leased_job_is_hidden")

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        options["at"] += timedelta(milliseconds=50)
        return super().dequeue(queue, limit, **options)


class ComesLate(Mutant):
    """Jobs are due a second after their time, without saying so in ``resolution``."""

    caught_by = ("test_delay_is_never_early",)

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        options["at"] -= timedelta(seconds=1)
        return super().dequeue(queue, limit, **options)


class DropsTheDeliveryCount(Mutant):
    """Every delivery looks like the first."""

    caught_by = ("test_deliveries_are_counted", "test_extended_lease_hides_longer")

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        jobs = super().dequeue(queue, limit, **options)
        for job in jobs:
            job.deliveries = 1
        return jobs


class NeverResetsTheDeliveryCount(Mutant):
    """A rescheduled job keeps the count of its last life."""

    caught_by = ("test_reschedule_starts_the_count_again",)

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        lost = super().reschedule(queue, jobs)
        for job in jobs:
            if job not in lost:
                self._store(queue).entries[job.id].deliveries = job.deliveries
        return lost


class DeliversTwice(Mutant):
    """Choosing jobs and marking them as leased are two steps, and others get in between."""

    caught_by = ("test_threads_never_share_a_job",)

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        with self._lock:
            keys = self._store(queue).timeline.after(None, limit)
            due = [job_id for moment, job_id in keys if moment <= options["at"]]
        return [job for job_id in due for job in self._mark(queue, job_id, **options)]

    def _mark(self, queue: QueueName, job_id: str, **options: Any) -> Iterator[Job]:
        until = options["at"] + timedelta(seconds=options["lease"])
        with self._lock:
            store = self._store(queue)
            store.hide(job_id, store.entries[job_id], until)
            job = self._read(queue, store, job_id)
            self._last_token += 1
            store.entries[job_id].token = self._last_token
        if job:
            job.lease = Lease(until, self._last_token)
            yield job


class LosesThePoisonedRecordsNeighbours(Mutant):
    """A record that is no job takes the rest of its batch with it."""

    caught_by = ("test_broken_record_spares_its_neighbours",)

    def _lease(self, *arguments: Any) -> list[Job]:
        met = len(self.invalid)
        jobs = super()._lease(*arguments)
        return jobs if len(self.invalid) == met else []


class MeetsPoisonAgain(Mutant):
    """A record that is no job is reported but stays where it is."""

    caught_by = ("test_broken_record_is_reported_once",)

    def _read(self, queue: QueueName, store: Any, job_id: str) -> Job | None:
        entry = store.entries.get(job_id)
        job = super()._read(queue, store, job_id)
        if entry and not job:
            store.put(job_id, entry.record, entry.visible_at)
        return job


class SleepsThroughNewJobs(Mutant):
    """A waiting call notices nothing until its time is over."""

    caught_by = ("test_new_job_ends_the_wait",)

    def dequeue(
        self, queue: QueueName, limit: int, *, wait: float = 0.0, **options: Any
    ) -> list[Job]:
        threading.Event().wait(min(wait, 20.0))
        return super().dequeue(queue, limit, **options)


class IgnoresWake(Mutant):
    """``wake()`` wakes nobody."""

    caught_by = ("test_wake_ends_the_wait",)

    def wake(self) -> None:
        pass


class NeverWaits(Mutant):
    """``dequeue`` returns at once whatever its ``wait``."""

    caught_by = ("test_new_job_ends_the_wait", "test_scheduled_job_ends_the_wait")

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        return super().dequeue(queue, limit, **options | {"wait": 0.0})


class TakesAThousandAtMost(Mutant):
    """What is beyond the store's own limit is dropped."""

    caught_by = ("test_bulk_of_2500",)

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        super().enqueue(queue, jobs[:1000])


class TakesTextOnly(Mutant):
    """Payloads go through UTF-8."""

    caught_by = ("test_payload_comes_back",)

    def dequeue(self, queue: QueueName, limit: int, **options: Any) -> list[Job]:
        jobs = super().dequeue(queue, limit, **options)
        for job in jobs:
            job.payload = job.payload.decode(errors="replace").encode()
        return jobs


class JoinsNames(Mutant):
    """A queue is known by its namespace and id with a colon between."""

    caught_by = ("test_names_do_not_run_together",)

    def _store(self, queue: QueueName) -> Any:
        return super()._store(QueueName("", f"{queue.namespace}:{queue.queue_id}"))


class ForgetsNamespaces(Mutant):
    """A queue is known by its id alone."""

    caught_by = ("test_namespaces_are_isolated",)

    def _store(self, queue: QueueName) -> Any:
        return super()._store(QueueName("", queue.queue_id))


class WorksWhenClosed(Mutant):
    """``close()`` closes nothing."""

    caught_by = ("test_use_after_close_is_refused",)

    def close(self) -> None:
        pass


class CountsLeasedAsReady(Mutant):
    """Metrics know no leases."""

    caught_by = ("test_leased_job_counts_as_scheduled", "test_behaves_like_the_model")

    def metrics(self, queue: QueueName, *, at: datetime) -> QueueMetrics:
        return QueueMetrics(len(self._store(queue).entries), 0, 0.0)


class PagesByNumber(Mutant):
    """The cursor is a position, so what goes in front of it moves the rest."""

    caught_by = ("test_acked_jobs_do_not_disturb_the_pages",)

    def jobs(self, queue: QueueName, *, limit: int = 100, after: str | None = None) -> Page:
        start = int(after or 0)
        jobs = super().jobs(queue, limit=start + limit).jobs[start:]
        return Page(jobs, str(start + limit) if len(jobs) == limit else None)


class NeverFreesPlaces(Mutant):
    """The place of a vanished holder is lost for ever."""

    caught_by = ("test_place_expires",)

    def acquire(self, *arguments: Any, **options: Any) -> bool:
        options["until"] = datetime.max.replace(tzinfo=UTC)
        return super().acquire(*arguments, **options)


class ProlongsClaims(Mutant):
    """A claim by the owner starts the period again."""

    caught_by = ("test_claiming_again_does_not_prolong",)

    def claim(
        self, namespace: str, key: str, owner: str, *, at: datetime, period: float
    ) -> str | None:
        self.forget(namespace, key, owner)
        return super().claim(namespace, key, owner, at=at, period=period)


class LetsAnybodyForget(Mutant):
    """Any caller frees a key."""

    caught_by = ("test_only_the_owner_forgets",)

    def forget(self, namespace: str, key: str, owner: str) -> bool:
        return self._claims.pop((namespace, key), None) is not None


class _Suite(BackendConformance):
    """The suite for a mutant."""

    mutant: type[Mutant]

    @pytest.fixture
    def backend(self) -> Iterator[Mutant]:
        """A store with a fault."""
        with self.mutant() as backend:
            yield backend

    @pytest.fixture(autouse=True)
    def _lose_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Wait but a second for a mutant that will never answer."""
        monkeypatch.setattr(waiting, "PROMPT", 1.0)

    @pytest.fixture
    def poison(self, backend: Mutant) -> Callable[[QueueName], None]:
        """Put bytes that are no job where the store keeps its records."""

        def plant(queue: QueueName) -> None:
            backend.enqueue(queue, [Job(id="poison", enqueued_at=datetime(1970, 1, 1, tzinfo=UTC))])
            backend._store(queue).entries["poison"].record = b"\xc1 no job"

        return plant


for _mutant in MUTANTS:
    globals()[f"Test{_mutant.__name__}"] = type(
        f"Test{_mutant.__name__}", (_Suite,), {"mutant": _mutant, "__module__": __name__}
    )
