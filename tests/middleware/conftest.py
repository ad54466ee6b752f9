"""The stores that every middleware must work on."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from work_core.job import QueueName
from work_core.plugins import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from work_core.backend import Backend

STORES = ("memory", "sqlite", "redis")


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store of each kind."""
    if request.param == "redis":
        url: str = request.getfixturevalue("redis_url")
        return url
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/work.db"


@pytest.fixture
def open_store(store_url: str) -> Iterator[Callable[[], Backend]]:
    """Return what a process of its own would open; memory is only there for one."""
    opened: list[Backend] = []

    def open_one() -> Backend:
        if store_url != "memory://" or not opened:
            opened.append(open_backend(store_url))
        return opened[-1]

    yield open_one
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(open_store: Callable[[], Backend]) -> Backend:
    """Return an open backend of each kind."""
    return open_store()


@pytest.fixture
def namespace() -> str:
    """Return a namespace that no other test uses."""
    return f"{{test-{uuid.uuid4().hex}}}"


@pytest.fixture
def queue(namespace: str) -> QueueName:
    """Return a queue that no other test uses."""
    return QueueName(namespace, "send")
