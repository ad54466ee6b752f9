"""The live display: two lines that redraw on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from examples.demo.results import Results

WIDTH = 40
PLAIN_INTERVAL = 1.0


class Display:
    """Show how far *total* jobs are."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._live = sys.stdout.isatty()
        self._began = time.monotonic()
        self._drawn = 0.0

    def say(self, text: str) -> None:
        """Print *text* on a line of its own."""
        if self._live:
            sys.stdout.write("\r\x1b[K")
        print(text, flush=True)

    def draw(self, results: Results, *, last: bool = False) -> None:
        """Show the state: on a terminal at every call, elsewhere once a second."""
        now = time.monotonic()
        if not self._live and not last and now - self._drawn < PLAIN_INTERVAL:
            return
        self._drawn = now
        line = self._line(results, now)
        if self._live:
            sys.stdout.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
            sys.stdout.flush()
        else:
            print(line, flush=True)

    def _line(self, results: Results, now: float) -> str:
        done = len(results.by_path)
        workers = ", ".join(f"{pid}: {count}" for pid, count in results.by_process.items())
        told = f"{done:,} of {self._total:,} files, {done / (now - self._began):,.0f} jobs/s"
        if not self._live:
            return f"{told}; runs by process {workers or 'none yet'}"
        bar = "#" * (WIDTH * done // self._total)
        return f"[{bar:{WIDTH}}] {told} ({workers})"
