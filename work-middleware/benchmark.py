# ruff: noqa: INP001 - a script beside the package
"""Print what each middleware adds to a successful job, in microseconds, measured in one run.

Run it as ``python work-middleware/benchmark.py``. Rounds alternate between the plug-ins, the
smallest counts, so that a busy machine disturbs all of them alike. The store's part (places,
once-keys, extensions) is not in it: nothing of that happens in the way of a running job.
"""

from __future__ import annotations

import sys
from timeit import timeit
from typing import TYPE_CHECKING, Any

from work_core.hooks import hooks_of
from work_core.job import Job, Lease, QueueName, utc_now
from work_core.memory import MemoryBackend
from work_core.middleware import HandleContext, fold
from work_core.plugins import load_middleware

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS, ROUNDS = 1_000, 200

OPTIONS: dict[str, dict[str, Any]] = {
    "heartbeat": {},
    "max-retries": {},
    "dead-letters": {},
    "logging": {},
    "discard-after": {"age": 60},
    "discard-invalid-payload": {},
    "error-history": {},
    "local-concurrency": {"limit": 4},
    "concurrency": {"limit": 4},
    "rate-limit": {"limit": 4, "period": 60},
    "prometheus": {},
}
DEFAULT = ("heartbeat", "max-retries", "dead-letters", "logging")


def handler(_job: Job, _context: HandleContext) -> None:
    """Do nothing."""


def folded(*names: str) -> Callable[[Job, HandleContext], object]:
    """Return the handler inside the middleware *names*."""
    plugins = [load_middleware(name)(**OPTIONS[name]) for name in names]
    return fold(hooks_of(plugins).work_handle, handler)


def main() -> None:
    """Measure and print."""
    sets = {"nothing": (), **{name: (name,) for name in OPTIONS}}
    sets |= {"the default set": DEFAULT, "all of them": tuple(OPTIONS)}
    calls = {name: folded(*members) for name, members in sets.items()}
    backend = MemoryBackend()
    job = Job(deliveries=1, lease=Lease(utc_now(), 1))
    context = HandleContext(QueueName("work", "send"), "send", backend, backend, 60.0, None, 1)
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            seconds = timeit(lambda call=call: call(job, context), number=RUNS)  # type: ignore[misc]
            best[name] = min(best[name], seconds / RUNS * 1e6)
    for name, cost in best.items():
        sys.stdout.write(f"{name:<25}{cost - best['nothing']:6.2f}\n")


if __name__ == "__main__":
    main()
