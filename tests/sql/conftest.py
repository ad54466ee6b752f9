"""What the SQL tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONSUMER = Path(__file__).parent / "consumer.py"


@contextmanager
def consumers(count: int, url: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Run *count* processes that work the queue off and print the id of each acked job."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(_CONSUMER), url],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
