"""Test backends against the contract, and your own jobs without a server.

A backend is tested by subclassing ``BackendConformance`` in a test module and giving one fixture;
that needs the extra ``work-core[testing]``::

    class TestMyBackend(BackendConformance):
        @pytest.fixture
        def backend(self, tmp_path):
            with MyBackend(tmp_path) as backend:
                yield backend

Your own jobs are tested on memory::

    with in_memory(app) as jobs:
        sign_up("ada@example.org")
        assert_enqueued(send_mail, to="ada@example.org", due_within=60)
        jobs.drain()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.testing.enqueued import Call, assert_enqueued, assert_not_enqueued, enqueued
from work_core.testing.in_memory import InMemory, in_memory
from work_core.testing.travel import Travel, WallTravel

if TYPE_CHECKING:
    from work_core.testing.conformance import BackendConformance, Unreachable

__all__ = [
    "BackendConformance",
    "Call",
    "InMemory",
    "Travel",
    "Unreachable",
    "WallTravel",
    "assert_enqueued",
    "assert_not_enqueued",
    "enqueued",
    "in_memory",
]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: tests of jobs need neither pytest nor hypothesis.
    if name not in {"BackendConformance", "Unreachable"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    # Before the import, so that a failing assertion shows its values without a conftest.
    pytest.register_assert_rewrite("work_core.testing.conformance")
    from work_core.testing import conformance

    return getattr(conformance, name)
