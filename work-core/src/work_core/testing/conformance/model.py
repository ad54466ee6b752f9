"""Random programs on the backend under test and on ``memory://``: every answer must be equal."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from work_core.capabilities import JobFinder, MetricsExporter
from work_core.job import Job, QueueName, utc_now
from work_core.memory import MemoryBackend
from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import QueueUnderTest
from work_core.testing.travel import Travel, WallTravel

if TYPE_CHECKING:
    from datetime import datetime

    from work_core.backend import Backend

_IDS = "abcd"
_DUE = st.integers(-2, 4)
_PAYLOADS = st.sampled_from([b"", b"x", b"\xff\x00"])
_EXAMPLES = int(os.environ.get("WORK_CONFORMANCE_EXAMPLES", "40"))


class Held(NamedTuple):
    """One lease, as the model and the backend under test gave it."""

    model: Job
    actual: Job

    def __repr__(self) -> str:
        return f"<{self.model.id!r}, delivery {self.model.deliveries}>"


class Programs(RuleBasedStateMachine):
    """Programs of the contract's calls; times are multiples of the store's resolution."""

    leased = Bundle("leased")
    some_leases = st.lists(leased, min_size=1, max_size=3, unique_by=lambda held: held.model.id)

    def __init__(self, backend: Backend, queue: QueueName) -> None:
        super().__init__()
        self.step = backend.resolution or 0.001
        self.travel = Travel()
        self.travel.to(utc_now().replace(microsecond=0))
        self.model = QueueUnderTest(MemoryBackend(), queue, self.travel)
        self.actual = QueueUnderTest(backend, queue, self.travel)
        self.lease_ends: dict[str, datetime] = {}

    @rule(jobs=st.lists(st.tuples(st.sampled_from(_IDS), _DUE, _PAYLOADS), max_size=4))
    def enqueue(self, jobs: list[tuple[str, int, bytes]]) -> None:
        """Enqueue new jobs, or replace those there."""
        made = [self.model.job(payload, id=i, due=due * self.step) for i, due, payload in jobs]
        self.model.enqueue(*made)
        self.actual.enqueue(*made)
        for job in made:
            self.lease_ends.pop(job.id, None)

    @rule(target=leased, limit=st.integers(1, 4), lease=st.integers(1, 4))
    def dequeue(self, limit: int, lease: int) -> Any:
        """Lease jobs; where redelivered ones stand among the due ones is the store's to choose."""
        redelivers = any(end <= self.travel.now for end in self.lease_ends.values())
        if redelivers:
            limit = len(_IDS)
        expected = self.model.dequeue(limit, lease=lease * self.step)
        found = self.actual.dequeue(limit, lease=lease * self.step)
        if redelivers:
            assert _seen(j for j in found if j.deliveries == 1) == _seen(
                j for j in expected if j.deliveries == 1
            )
            found.sort(key=_id)
            expected.sort(key=_id)
        assert _seen(found) == _seen(expected)
        end = self.travel.after(lease * self.step)
        self.lease_ends.update(dict.fromkeys(map(_id, found), end))
        return multiple(*map(Held, expected, found))

    @rule(jobs=some_leases)
    def ack(self, jobs: list[Held]) -> None:
        """Ack leases, true, stale or done."""
        lost = self.model.ack(*[held.model for held in jobs])
        found = self.actual.ack(*[held.actual for held in jobs])
        assert sorted(found) == sorted(lost)
        self._given_up(jobs, lost)

    @rule(jobs=some_leases, due=_DUE, payload=_PAYLOADS, retries=st.integers(0, 3))
    def reschedule(self, jobs: list[Held], due: int, payload: bytes, retries: int) -> None:
        """Give leased jobs back, changed."""
        for job in itertools.chain.from_iterable(jobs):
            job.enqueued_at = self.travel.after(due * self.step)
            job.payload, job.retries = payload, retries
        lost = self.model.reschedule(*[held.model for held in jobs])
        found = self.actual.reschedule(*[held.actual for held in jobs])
        assert sorted(found) == sorted(lost)
        self._given_up(jobs, lost)

    @rule(jobs=some_leases, until=st.integers(0, 5))
    def extend(self, jobs: list[Held], until: int) -> None:
        """Extend leases, true, stale or done."""
        seconds = until * self.step
        lost = self.model.extend(*[held.model for held in jobs], seconds=seconds)
        found = self.actual.extend(*[held.actual for held in jobs], seconds=seconds)
        assert sorted(found) == sorted(lost)
        end = self.travel.after(seconds)
        self.lease_ends.update({h.model.id: end for h in jobs if h.model.id not in lost})

    @precondition(lambda self: isinstance(self.actual.backend, JobFinder))
    @rule(ids=st.lists(st.sampled_from(_IDS), max_size=3, unique=True))
    def delete(self, ids: list[str]) -> None:
        """Delete jobs, leased or not, there or not."""
        assert _finder(self.actual).delete(self.actual.name, ids) == _finder(self.model).delete(
            self.model.name, ids
        )
        for job_id in ids:
            self.lease_ends.pop(job_id, None)

    @rule(steps=st.integers(1, 5))
    def travel_on(self, steps: int) -> None:
        """Let time pass."""
        self.travel(steps * self.step)

    @invariant()
    def stores_are_equal(self) -> None:
        """Both count the same jobs as ready and as scheduled, and find the same fields."""
        actual, model = self.actual.backend, self.model.backend
        if isinstance(actual, MetricsExporter) and isinstance(model, MetricsExporter):
            counted = actual.metrics(self.actual.name, at=self.travel.now)
            expected = model.metrics(self.model.name, at=self.travel.now)
            assert not counted.exact or counted[:2] == expected[:2]
        if isinstance(actual, JobFinder) and isinstance(model, JobFinder):
            found = actual.find(self.actual.name, _IDS)
            assert _stored(found) == _stored(model.find(self.model.name, _IDS))

    def _given_up(self, jobs: list[Held], lost: list[str]) -> None:
        for held in jobs:
            if held.model.id not in lost:
                self.lease_ends.pop(held.model.id, None)


class Model(Area):
    """The backend behaves like ``memory://``, whatever the program.

    Attributes:
        examples: how many random programs are run; more is more certain and takes longer.
    """

    examples: ClassVar[int] = _EXAMPLES

    def test_behaves_like_the_model(self, backend: Backend, namespace: str, travel: Travel) -> None:
        """In every sequence of calls each answer equals that of the reference backend."""
        if isinstance(travel, WallTravel):
            pytest.skip(f"{type(backend).__name__} keeps its own time: programs cannot travel")
        numbers = itertools.count()

        def program() -> Programs:
            return Programs(backend, QueueName(namespace, f"program-{next(numbers)}"))

        run_state_machine_as_test(
            program,  # type: ignore[arg-type] # any callable that makes one will do
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=25,
                deadline=None,
                database=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )


def _id(job: Job) -> str:
    return job.id


def _fields(job: Job) -> tuple[object, ...]:
    return (job.id, job.payload, job.enqueued_at, job.retries, job.last_error)


def _stored(jobs: list[Job | None]) -> list[tuple[object, ...] | None]:
    return [_fields(job) if job else None for job in jobs]


def _seen(jobs: Any) -> list[tuple[object, ...]]:
    return [(*_fields(job), job.deliveries) for job in jobs]


def _finder(queue: QueueUnderTest) -> JobFinder:
    assert isinstance(queue.backend, JobFinder)
    return queue.backend
