"""The example backend keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from work_example.backend import ExampleBackend

from work_core.testing import BackendConformance
from work_core.testing.conformance import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from work_core.job import QueueName


class TestExample(BackendConformance):
    """Jobs as files in a directory."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[ExampleBackend]:
        """A backend on a directory of the test's own."""
        with ExampleBackend(tmp_path / "jobs", sync=False) as backend:
            yield backend

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """The same directory, for other objects and processes."""
        return f"example://{tmp_path}/jobs?sync=0"

    @pytest.fixture
    def poison(self, backend: ExampleBackend) -> Callable[[QueueName], None]:
        """Write a file that is no job."""

        def plant(queue: QueueName) -> None:
            with backend._folder(queue) as folder:
                (folder.path / f"{0:020}.id.digest.0.free.job").write_bytes(b"\xc1 no job")

        return plant

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> Iterator[Unreachable]:
        """A directory that cannot be made, because a file stands in its place."""
        (tmp_path / "file").touch()
        with ExampleBackend(tmp_path / "file" / "jobs") as backend:
            yield Unreachable(backend, secret="there is none")
