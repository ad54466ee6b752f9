"""The thread that does what handlers must not wait for."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from tests.servers.process import wait_until

from work_core.errors import BackendUnavailable
from work_middleware import background
from work_middleware.background import Background

if TYPE_CHECKING:
    import pytest


def threads(name: str) -> int:
    """Return how many threads have *name*."""
    return sum(thread.name == name for thread in threading.enumerate())


def test_it_steps_when_woken_and_a_last_time_when_stopped() -> None:
    """Whatever rest the step asked for."""
    steps: list[int] = []

    def step() -> float:
        steps.append(1)
        return 3600.0

    runner = Background("test-steps", step)
    runner.start()
    wait_until(lambda: len(steps) == 1, "the first step")
    runner.wake()
    wait_until(lambda: len(steps) == 2, "the second step")
    runner.stop()
    assert len(steps) == 3
    assert threads("test-steps") == 0


def test_it_runs_until_its_last_user_stops() -> None:
    """Several workers of a process share one thread."""
    runner = Background("test-users", lambda: 3600.0)
    runner.start()
    runner.start()
    assert threads("test-users") == 1
    runner.stop()
    assert threads("test-users") == 1
    runner.stop()
    assert threads("test-users") == 0


def test_it_outlives_errors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are logged, and the step is tried again."""
    monkeypatch.setattr(background, "_AFTER_AN_ERROR", 0.001)
    errors: list[Exception] = [BackendUnavailable("away"), ValueError("a bug")]
    done = threading.Event()

    def step() -> float:
        if errors:
            raise errors.pop(0)
        done.set()
        return 3600.0

    runner = Background("test-errors", step)
    with caplog.at_level(logging.WARNING, "work"):
        runner.start()
        assert done.wait(30)
        runner.stop()
    first, second = caplog.records
    assert (first.levelname, first.exc_info) == ("WARNING", None)
    assert second.levelname == "ERROR"
    assert second.exc_info
