"""An app on the memory backend, and a worker that runs beside the test."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from work_core import App, Worker
from work_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def backend() -> Iterator[MemoryBackend]:
    """Give a store that lives as long as the test."""
    with MemoryBackend() as backend:
        yield backend


@pytest.fixture
def app(backend: MemoryBackend) -> App:
    """Give an app without plug-ins."""
    return App(backend, namespace="test", plugins=[])


@contextmanager
def working(app: App, **options: object) -> Iterator[Worker]:
    """Run a worker of *app* until the block ends."""
    worker = Worker(app, **options)  # type: ignore[arg-type]
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def eventually(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Return when *condition* holds; fail if it does not within *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.002)
