"""Notice that source files have changed, for ``work worker --reload``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERVAL = 0.5
_WATCHED = (".py", ".toml")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


class SourceWatcher:
    """Watch the Python and TOML files below *folder*, hidden folders and environments left out.

    Looking at the times of a few hundred files twice a second costs less than a dependency.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._look()
        self._looked = time.monotonic()

    def changed(self) -> bool:
        """Tell whether a file came, went or changed since the last call; looks twice a second."""
        if time.monotonic() - self._looked < INTERVAL:
            return False
        self._looked = time.monotonic()
        before, self._seen = self._seen, self._look()
        return before != self._seen

    def _look(self) -> dict[str, int]:
        return dict(_files(os.fspath(self._folder)))


def _files(folder: str) -> Iterator[tuple[str, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.name.endswith(_WATCHED):
                yield entry.path, entry.stat().st_mtime_ns
        except OSError:
            continue  # gone between the listing and the look
