"""What the workers have noted so far, and whether it is right."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pathlib import Path


class Result(TypedDict):
    """One run of one job."""

    path: str
    sha256: str
    bytes: int
    lines: int
    words: int
    vocabulary: int
    deliveries: int


@dataclass
class Results:
    """The runs noted in *folder*, one file per worker process; ``read`` brings them up to date.

    Attributes:
        by_path: the last result of each file.
        runs: how often each file was measured.
        by_process: how many runs each process id has noted.
        redelivered: the files whose job was delivered more than once.
    """

    folder: Path
    by_path: dict[str, Result] = field(default_factory=dict)
    runs: Counter[str] = field(default_factory=Counter)
    by_process: Counter[int] = field(default_factory=Counter)
    redelivered: set[str] = field(default_factory=set)
    _offsets: Counter[Path] = field(default_factory=Counter)

    def read(self) -> int:
        """Read what is new and return how many files are done."""
        for file in self.folder.glob("*.ndjson"):
            with file.open("rb") as stream:
                stream.seek(self._offsets[file])
                for line in stream:
                    self._offsets[file] += len(line)
                    self._add(json.loads(line), int(file.stem))
        return len(self.by_path)

    def _add(self, result: Result, process: int) -> None:
        path = result["path"]
        self.by_path[path] = result
        self.runs[path] += 1
        self.by_process[process] += 1
        if result["deliveries"] > 1:
            self.redelivered.add(path)

    def total(self, what: str) -> int:
        """Return the sum of ``bytes``, ``lines`` or ``words`` over all files."""
        return sum(result[what] for result in self.by_path.values())  # type: ignore[literal-required]

    def differences(self, expected: dict[str, str]) -> list[str]:
        """Compare with the digests of an independent walk; return what is lost or wrong."""
        lost = [f"lost: {path}" for path in expected if path not in self.by_path]
        surplus = [f"not there: {path}" for path in self.by_path if path not in expected]
        wrong = [
            f"wrong digest: {path}"
            for path, result in self.by_path.items()
            if expected.get(path, result["sha256"]) != result["sha256"]
        ]
        return [*lost, *surplus, *wrong]


def digests(root: Path) -> dict[str, str]:
    """Hash every Python file below *root* without any jobs, to check the jobs against."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*.py")
        if path.is_file() and not {"site-packages", "dist-packages"} & set(path.parts)
    }
