"""An idle process sleeps until somebody writes to the file."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from work_sql.sqlite.inotify import Inotify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is a part of Linux")


@pytest.fixture
def inotify(tmp_path: Path) -> Iterator[Inotify]:
    """Watch the folder of a file that is not there yet."""
    inotify = Inotify(tmp_path / "work.db")
    yield inotify
    inotify.close()


def test_a_write_ends_the_wait(inotify: Inotify, tmp_path: Path) -> None:
    """Another thread's write is noticed, whichever file of the folder it goes to."""
    writer = threading.Timer(0.01, (tmp_path / "work.db-wal").write_bytes, [b"frame"])
    writer.start()

    assert inotify.wait(20.0)
    writer.join()


def test_without_a_write_the_wait_is_in_vain(inotify: Inotify) -> None:
    """Nothing stirs in an empty folder."""
    assert not inotify.wait(0.0)


def test_a_write_is_told_once(inotify: Inotify, tmp_path: Path) -> None:
    """What was told is forgotten, so that the next wait really waits."""
    (tmp_path / "work.db").write_bytes(b"page")

    assert inotify.wait(20.0)
    assert not inotify.wait(0.0)


def test_ending_ends_all_waits(inotify: Inotify) -> None:
    """A stop does not have to wait for the next write."""
    inotify.end()

    assert inotify.wait(20.0)
    assert inotify.wait(20.0)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The caller falls back to polling."""
    with pytest.raises(OSError, match="No such file"):
        Inotify(tmp_path / "missing" / "work.db")
