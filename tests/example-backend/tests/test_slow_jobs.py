"""The example middleware, on an app in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from work_example.slow_jobs import SlowJobs

from work_core import App, ConfigError
from work_core.testing import in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_core.testing import InMemory


slow_jobs = SlowJobs(threshold=0.01)
app = App("memory://", namespace="test", plugins=[slow_jobs])


@app.task
def nap(seconds: float) -> None:
    """Do nothing for a while."""
    time.sleep(seconds)


@pytest.fixture
def jobs() -> Iterator[InMemory]:
    """The app on a store of the test's own."""
    with in_memory(app) as jobs:
        yield jobs


def test_slow_job_is_named(jobs: InMemory, caplog: pytest.LogCaptureFixture) -> None:
    """A job that runs longer than the threshold is logged with its task."""
    nap.enqueue(0.02)
    jobs.drain()
    assert "nap ran" in caplog.text


def test_quick_job_is_not(
    jobs: InMemory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick job is not."""
    monkeypatch.setattr(slow_jobs, "threshold", 60.0)
    nap.enqueue(0)
    jobs.drain()
    assert caplog.text == ""


def test_threshold_is_checked() -> None:
    """A threshold that makes no sense is refused when it is given."""
    with pytest.raises(ConfigError, match="more than 0 seconds, not -1"):
        SlowJobs(-1)
