"""The enqueuing process of a measurement: ``python -m benchmarks.produce MODULE COMMAND ...``.

Prints its result as one line of JSON. Commands: ``fill KIND COUNT``, ``time ONES BULKS``, and
``latency COUNT SECONDS``.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

BULK = 1000
WARM = 5  # jobs until a worker is up
PATIENCE = 20.0
LINE = 31  # bytes that a job appends to the probe's file


async def main(module: str, command: str, *arguments: str) -> Any:
    peer = importlib.import_module(f"benchmarks.peers.{module}")
    await _call(peer, "connect")
    try:
        return await COMMANDS[command](peer, *arguments)
    finally:
        await _call(peer, "disconnect")


async def fill(peer: ModuleType, kind: str, count: str) -> dict[str, Any]:
    began = time.perf_counter()
    for start in range(0, int(count), BULK):
        await _call(peer, "enqueue_many", kind, range(start, min(start + BULK, int(count))))
    return {"seconds": time.perf_counter() - began}


async def timed(peer: ModuleType, ones: str, bulks: str) -> dict[str, Any]:
    """Return the median microseconds of enqueuing one job, and per job of 1000 at once."""
    singles = [await _seconds(peer, "enqueue", "noop", number) for number in range(int(ones))]
    many = [await _seconds(peer, "enqueue_many", "noop", range(BULK)) for _ in range(int(bulks))]
    return {
        "one": statistics.median(singles[len(singles) // 10 :]) * 1e6,
        "bulk": statistics.median(many[1:]) * 1e6 / BULK,
    }


async def latency(peer: ModuleType, count: str, seconds: str) -> dict[str, Any]:
    """Return milliseconds from the enqueue call to the handler, the worker idle before each."""
    sent: list[int] = []
    deadline = float("inf")
    for number in range(int(count) + WARM):
        if number == WARM:
            deadline = time.monotonic() + float(seconds)
        await asyncio.sleep(random.uniform(0.05, 0.1))
        sent.append(time.time_ns())
        await _call(peer, "enqueue", "noop", number)
        await _ran(number + 1)
        if time.monotonic() > deadline:
            break
    started = dict(_lines())
    took = [(started[number] - sent[number]) / 1e6 for number in range(WARM, len(sent))]
    return {"milliseconds": took}


def _lines() -> Iterator[tuple[int, int]]:
    """Yield each job's number and when it ran."""
    for line in Path(settings.PROBE).read_bytes().splitlines():
        at, number = line.split()
        yield int(number), int(at)


def _size() -> int:
    return Path(settings.PROBE).stat().st_size


async def _ran(count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while _size() < count * LINE:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the worker did not run job {count} within {PATIENCE:g} s")
        await asyncio.sleep(0.0005)


async def _seconds(peer: ModuleType, name: str, *arguments: Any) -> float:
    began = time.perf_counter()
    await _call(peer, name, *arguments)
    return time.perf_counter() - began


async def _call(peer: ModuleType, name: str, *arguments: Any) -> None:
    function = getattr(peer, name, None)
    if function is not None:
        result = function(*arguments)
        if inspect.isawaitable(result):
            await result


COMMANDS = {"fill": fill, "time": timed, "latency": latency}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
