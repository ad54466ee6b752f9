"""A run: set up, measure every case in interleaved rounds, keep what failed and why."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import environments, plan
from benchmarks.catalog import CATALOG, LABELS, Peer
from benchmarks.environments import NotInstalled
from benchmarks.measure import measure
from benchmarks.servers import STORES, NoServer, Store
from benchmarks.workers import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.plan import Case, Size


class Run:
    """Results of a run while it goes on."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.results: list[dict[str, Any]] = []
        self.failures: dict[str, str] = {}

    def go(self, names: Sequence[str], stores: Sequence[str]) -> dict[str, Any]:
        """Measure the libraries *names*, or all of them, on *stores*; return one JSON document."""
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            started = dict(self._start(stack, stores))
            installed = dict(self._install(names, started))
            peers = list(installed)
            cases = plan.repeated(peers, list(started), self.size)
            for number in range(self.size.rounds):
                self._measure(cases, started, number)
            self._measure(plan.once(peers, list(started), self.size), started, 0)
            return {
                "at": datetime.now(UTC).isoformat(timespec="minutes"),
                "minutes": round((time.monotonic() - began) / 60, 1),
                "machine": machine(),
                "rounds": self.size.rounds,
                "jobs": self.size.jobs,
                "stores": {name: store.version for name, store in started.items()},
                "versions": {peer.name: version for peer, version in installed.items()},
                "failures": self.failures,
                "results": self.results,
            }

    def _start(
        self, stack: contextlib.ExitStack, stores: Sequence[str]
    ) -> Iterable[tuple[str, Store]]:
        for name in stores:
            try:
                yield name, stack.enter_context(STORES[name]())
            except (NoServer, OSError, subprocess.SubprocessError) as error:
                self._failed(LABELS[name], error)

    def _install(self, names: Sequence[str], stores: Iterable[str]) -> Iterable[tuple[Peer, str]]:
        for peer in CATALOG:
            wanted = not names or peer.name in names or peer.module in names
            if not wanted or not set(peer.stores) & set(stores):
                continue
            try:
                yield peer, environments.install(peer)
            except (NotInstalled, OSError, subprocess.SubprocessError) as error:
                self._failed(f"{peer.name} install", error)

    def _measure(self, cases: Iterable[Case], stores: dict[str, Store], number: int) -> None:
        for case in cases:
            if str(case) in self.failures:
                continue
            try:
                found = measure(case, stores[case.store], self.size)
            except (Failed, OSError, subprocess.SubprocessError) as error:
                self._failed(str(case), error)
                continue
            _tell(f"{number + 1}/{self.size.rounds} {case}: {_brief(found)}")
            named = {
                "peer": case.peer.name,
                "store": case.store,
                "style": case.style,
                "measure": case.measure,
                "waiting": case.waiting,
                "round": number,
            }
            self.results.append({**named, **found})

    def _failed(self, what: str, error: Exception) -> None:
        self.failures[what] = str(error) or repr(error)
        _tell(f"FAILED {what}: {error}")


def machine() -> dict[str, str]:
    """Describe this machine."""
    model = platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{os.cpu_count()} x {model}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "node": _node_version(),
    }


def _node_version() -> str:
    try:
        return subprocess.check_output(["node", "--version"], text=True).strip()
    except (OSError, subprocess.SubprocessError):
        return "none"


def _brief(found: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in found.items()
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
