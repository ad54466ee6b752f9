"""Uses and misuses of the suite, run by ``test_suite.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from work_core.backend import Backend
from work_core.memory import MemoryBackend
from work_core.testing import BackendConformance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from work_core.job import Job, QueueName


class Bare(Backend):
    """A backend without any capability, on top of memory."""

    def __init__(self) -> None:
        self._memory = MemoryBackend()

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Pass on."""
        self._memory.enqueue(queue, jobs)

    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Pass on, newest first."""
        return self._memory.dequeue(queue, limit, at=at, lease=lease, wait=wait)[::-1]

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Pass on."""
        return self._memory.ack(queue, jobs)

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Pass on."""
        return self._memory.reschedule(queue, jobs)

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Pass on."""
        return self._memory.extend(queue, jobs, until=until)


class TestBare(BackendConformance):
    """A declared deviation that is one."""

    deviations: ClassVar[Mapping[str, str]] = {"test_first_in_first_out": "newest first"}

    @pytest.fixture
    def backend(self) -> Iterator[Bare]:
        """A backend that keeps no order."""
        with Bare() as backend:
            yield backend


class TestBareInOrder(TestBare):
    """Deviations are not inherited past a list of one's own; one that passes fails."""

    deviations: ClassVar[Mapping[str, str]] = {
        "test_acked_job_is_gone": "not so",
        "test_use_after_close_is_refused[dequeue]": "nothing is ever closed",
    }
