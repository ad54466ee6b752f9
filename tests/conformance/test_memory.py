"""memory:// keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from work_core.memory import MemoryBackend
from work_core.testing import BackendConformance

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestMemory(BackendConformance):
    """The reference backend."""

    @pytest.fixture
    def backend(self) -> Iterator[MemoryBackend]:
        with MemoryBackend() as backend:
            yield backend
