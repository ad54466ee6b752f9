"""The measurements: each starts from an empty store and returns a few numbers."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.workers import Bench, Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.plan import Case, Size
    from benchmarks.servers import Store

CONCURRENCY = {
    ("noop", "sync"): 10,
    ("noop", "async"): 100,
    ("io", "sync"): 64,
    ("io", "async"): 1000,
}
"""Jobs at once in the one worker process, for everybody who can."""

MEASURED_OF_BACKLOG = 20_000
BACKLOG_SECONDS = 10.0
BULKS = 4
SETTLE_SECONDS = 2.0
IDLE_SECONDS = 3.0
FEWEST = 5


def measure(case: Case, store: Store, size: Size) -> dict[str, Any]:
    """Measure *case*.

    Raises:
        Failed: when the library does not do what it should.
    """
    kind = "io" if case.measure == "io" else "noop"
    with Bench(case.peer, store, case.store, case.style, CONCURRENCY[kind, case.style]) as bench:
        return _MEASURES[case.measure](bench, case, size)


def _drain(bench: Bench, case: Case, size: Size) -> dict[str, Any]:
    return _run_backlog(bench, case.measure, size.jobs, size.jobs, size.seconds)


def _backlog(bench: Bench, case: Case, _: Size) -> dict[str, Any]:
    count = min(case.waiting, MEASURED_OF_BACKLOG)
    return _run_backlog(bench, "noop", case.waiting, count, BACKLOG_SECONDS)


def _enqueue(bench: Bench, _: Case, size: Size) -> dict[str, Any]:
    return bench.produce("time", size.ones, BULKS)


def _idle(bench: Bench, _: Case, size: Size) -> dict[str, Any]:
    bench.fill("noop", 0)
    with bench.work() as worker:
        found = bench.produce("latency", size.latencies, size.latency_seconds)
        took = sorted(found["milliseconds"])
        time.sleep(SETTLE_SECONDS)  # some poll more often right after a job
        return {
            "median": statistics.median(took),
            "p99": took[int(len(took) * 0.99)],
            "count": len(took),
            "cpu": worker.cpu_share(IDLE_SECONDS),
            "memory": worker.memory(),
            "processes": len(worker.pids()),
        }


def _run_backlog(
    bench: Bench, kind: str, waiting: int, count: int, seconds: float
) -> dict[str, Any]:
    """Return microseconds per job after the first tenth of *count*: starting up does not count."""
    bench.fill(kind, waiting)
    with bench.work() as worker:
        worker.wait_for(count, seconds)
    lines = bench.probe.read_bytes().split(b"\n")[:-1]
    times = sorted(int(line[:19]) for line in lines)[:count]
    if len(times) < FEWEST:
        raise Failed(f"ran only {len(times)} jobs in {seconds:g} s")
    warm = max(1, len(times) // 10)
    return {
        "us": (times[-1] - times[warm - 1]) / 1e3 / (len(times) - warm),
        "jobs": len(times),
        "twice": len(lines) - len({line[20:] for line in lines}),
    }


_MEASURES: dict[str, Callable[[Bench, Case, Size], dict[str, Any]]] = {
    "noop": _drain,
    "io": _drain,
    "enqueue": _enqueue,
    "idle": _idle,
    "backlog": _backlog,
}
