"""memory:// keeps the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from work_core.job import Job
from work_core.memory import MemoryBackend
from work_core.testing import BackendConformance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.job import QueueName


class TestMemory(BackendConformance):
    """The reference backend."""

    @pytest.fixture
    def backend(self) -> Iterator[MemoryBackend]:
        """An empty store of the test's own."""
        with MemoryBackend() as backend:
            yield backend

    @pytest.fixture
    def poison(self, backend: MemoryBackend) -> Callable[[QueueName], None]:
        """Put bytes that are no job where the store keeps its records."""

        def plant(queue: QueueName) -> None:
            backend.enqueue(queue, [Job(id="poison", enqueued_at=datetime(1970, 1, 1, tzinfo=UTC))])
            backend._stores[queue].entries["poison"].record = b"\xc1 no job"

        return plant
