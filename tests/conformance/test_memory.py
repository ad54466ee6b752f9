"""memory:// keeps the contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from work_core.errors import InvalidURL
from work_core.job import Job, QueueName, utc_now
from work_core.memory import MemoryBackend
from work_core.plugins import open_backend
from work_core.testing import BackendConformance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.testing import Unreachable


class TestMemory(BackendConformance):
    """The reference backend."""

    @pytest.fixture
    def backend(self) -> Iterator[MemoryBackend]:
        """An empty store of the test's own."""
        with MemoryBackend() as backend:
            yield backend

    @pytest.fixture
    def url(self) -> str:
        """There is none: two memory backends are two stores."""
        pytest.skip("memory:// cannot be opened twice")

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        """There is none: the store cannot be down while this process runs."""
        pytest.skip("memory:// has no server")

    @pytest.fixture
    def payload_limit(self) -> int:
        """There is none."""
        pytest.skip("memory:// takes payloads of any size")

    @pytest.fixture
    def poison(self, backend: MemoryBackend) -> Callable[[QueueName], None]:
        """Put bytes that are no job where the store keeps its records."""

        def plant(queue: QueueName) -> None:
            backend.enqueue(queue, [Job(id="poison", enqueued_at=datetime(1970, 1, 1, tzinfo=UTC))])
            backend._stores[queue].entries["poison"].record = b"\xc1 no job"

        return plant


def test_url_opens_a_store_of_its_own() -> None:
    """``memory://`` opens a new, empty store each time."""
    queue, job = QueueName("n", "q"), Job()
    with open_backend("memory://") as one, open_backend("memory://") as two:
        one.enqueue(queue, [job])
        assert two.dequeue(queue, 1, at=job.enqueued_at, lease=60) == []


@pytest.mark.parametrize("url", ["memory://host", "memory:///path", "memory://?size=1"])
def test_url_with_more_is_refused(url: str) -> None:
    """A memory URL has no host, no path and no options."""
    with pytest.raises(InvalidURL):
        open_backend(url)


def test_old_claims_are_forgotten() -> None:
    """Keys whose period is over take no memory for ever; those that last are kept."""
    with MemoryBackend() as backend:
        now = utc_now()
        for number in range(5_000):
            at = now + timedelta(seconds=number)
            period = 1e6 if number % 100 == 0 else 1.0
            assert backend.claim("n", f"{number}", "owner", at=at, period=period) is None
        assert len(backend._claims) < 1_500
        later = now + timedelta(seconds=5_000)
        kept = [
            backend.claim("n", f"{number}", "other", at=later, period=1)
            for number in range(0, 5_000, 100)
        ]
        assert kept == ["owner"] * 50
