"""A line on the terminal that says how far a long command is; nothing without a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

INTERVAL = 0.1
_WIDTH = 30
_CLEAR = "\r\x1b[K"


class Progress:
    """Show how much of *size* bytes is done, or only how many jobs where the size is not known."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._stream = sys.stderr
        self._shown = self._stream.isatty()
        self._done = 0
        self._began = time.monotonic()
        self._drawn = 0.0

    def advance(self, size: int, jobs: int) -> None:
        """Note *size* more bytes, and *jobs* in all."""
        self._done += size
        now = time.monotonic()
        if self._shown and now - self._drawn > INTERVAL:
            self._drawn = now
            self._stream.write(_CLEAR + self._line(jobs, now))
            self._stream.flush()

    def say(self, text: str) -> None:
        """Print *text* on a line of its own."""
        self._clear()
        self._stream.write(f"{text}\n")

    def _line(self, jobs: int, now: float) -> str:
        rate = jobs / max(now - self._began, 0.001)
        told = f"{jobs:,} jobs, {rate:,.0f} per second"
        if not self._size:
            return told
        share = min(self._done / self._size, 1.0)
        bar = "#" * int(share * _WIDTH)
        return f"[{bar:{_WIDTH}}] {share:4.0%}  {told}"

    def _clear(self) -> None:
        if self._shown:
            self._stream.write(_CLEAR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clear()
        self._stream.flush()
