"""The measured processes: start them, wait for their jobs, weigh them, end them."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks import environments
from benchmarks.environments import ROOT

if TYPE_CHECKING:
    from benchmarks.catalog import Peer
    from benchmarks.servers import Store

LINE = 31
START_TIMEOUT = 30.0
PRODUCE_TIMEOUT = 180.0


class Failed(Exception):
    """A library did not do what was measured; the message says what it printed last."""


@dataclass
class Bench:
    """One library on one store, with an empty store and an empty probe file."""

    peer: Peer
    store: Store
    store_name: str
    style: str
    concurrency: int
    folder: Path = field(init=False)
    _filled: str = ""

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        self.store.reset()
        self.probe.touch()
        return self

    def __exit__(self, *exc: object) -> None:
        self._temporary.cleanup()

    @property
    def probe(self) -> Path:
        return self.folder / "probe"

    def produce(self, *command: object) -> dict[str, Any]:
        """Run the enqueuing process and return what it found."""
        module = self.peer.module or self.peer.name
        if self.peer.is_node:
            script = str(ROOT / "benchmarks" / "produce.cjs")
            program = ["node", script, module]
        else:
            program = [str(environments.programs(self.peer) / "python"), "-m"]
            program += ["benchmarks.produce", module]
        done = subprocess.run(
            [*program, *map(str, command)],
            env=self._environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=PRODUCE_TIMEOUT,
        )
        if done.returncode:
            raise Failed(f"cannot enqueue: {done.stderr.strip()[-600:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def fill(self, kind: str, count: int) -> None:
        """Let *count* jobs wait."""
        if self.store_name == "memory":
            self._filled = f"{kind} {count}"  # there the worker itself has to
        else:
            self.produce("fill", kind, count)

    def work(self) -> Running:
        """Start the library's worker."""
        command = self.peer.worker.format(
            bin=environments.programs(self.peer),
            peers=ROOT / "benchmarks" / "peers",
            concurrency=self.concurrency,
            url=self.store.url,
        )
        log = self.folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                shlex.split(command),
                env=self._environment(),
                cwd=ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Running(process, self.probe, log)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NODE_PATH": str(environments.node_modules(self.peer)),
            "BENCH_FILLED": self._filled,
            "BENCH_STORE": self.store_name,
            "BENCH_URL": self.store.url,
            "BENCH_PROBE": str(self.probe),
            "BENCH_STYLE": self.style,
            "BENCH_CONCURRENCY": str(self.concurrency),
        }


@dataclass
class Running:
    """A worker with all its processes."""

    process: subprocess.Popen[bytes]
    probe: Path
    log: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        # The store is emptied next, so nobody needs to say goodbye.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_for(self, count: int, seconds: float) -> None:
        """Return when *count* jobs have run, or *seconds* after the first one ran."""
        deadline = time.monotonic() + START_TIMEOUT
        first = None
        while (ran := self.probe.stat().st_size // LINE) < count:
            now = time.monotonic()
            if ran and first is None:
                first = now
            if first is not None and now > first + seconds:
                return
            if first is None and (now > deadline or self.process.poll() is not None):
                raise Failed(f"ran no job: {self.log.read_text(errors='replace')[-600:]}")
            time.sleep(0.01)

    def memory(self) -> float:
        """Return the proportional memory of all processes, in MB."""
        kilobytes = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
        return kilobytes / 1000

    def cpu_share(self, seconds: float) -> float:
        """Return the share of a core, in percent, that all processes use within *seconds*."""
        before = self._cpu_seconds()
        time.sleep(seconds)
        return (self._cpu_seconds() - before) / seconds * 100

    def _cpu_seconds(self) -> float:
        ticks = 0
        for pid in self.pids():
            fields = _stat(pid)
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def pids(self) -> list[int]:
        """Return the worker's processes."""
        everything = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in everything if _session(pid) == self.process.pid]


def _stat(pid: int) -> list[str]:
    # The program's name, in parentheses, may hold blanks.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _session(pid: int) -> int:
    try:
        return int(_stat(pid)[3])
    except (FileNotFoundError, ProcessLookupError):
        return 0
