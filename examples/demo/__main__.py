"""Run the demo: ``make demo``, or ``python -m examples.demo``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from examples.demo.display import Display
from examples.demo.results import Results, digests

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = Path(os.environ.get("DEMO_LIBRARY") or sysconfig.get_path("stdlib"))
TIMEOUT = 120.0


def main() -> int:
    """Measure the standard library in jobs, kill a worker half-way, check and report."""
    with TemporaryDirectory(prefix="work-demo-") as name:
        folder = Path(name)
        os.environ["DEMO_RESULTS"] = name
        os.environ["DEMO_URL"] = f"sqlite:///{folder / 'demo.db'}"
        total = enqueue()
        results, display = Results(folder), Display(total)
        with workers(folder / "workers.log") as supervisor:
            began = time.monotonic()
            watch(results, display, total, supervisor)
            seconds = time.monotonic() - began
    return report(results, seconds)


def enqueue() -> int:
    """Enqueue one job per file of the standard library, and return how many."""
    from examples.demo.tasks import app, measure

    paths = []
    for folder, folders, files in os.walk(LIBRARY):
        folders[:] = set(folders) - {"site-packages", "dist-packages"}
        paths += [(str(Path(folder, file)),) for file in files if file.endswith(".py")]
    began = time.monotonic()
    with app:
        measure.enqueue_many(paths)
    taken = time.monotonic() - began
    print(f"enqueued {len(paths):,} files of {LIBRARY} in {taken:.2f} s, into SQLite")
    return len(paths)


@contextmanager
def workers(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run two worker processes under their supervisor; show the log if they fail."""
    command = [sys.executable, "-m", "work_core.cli", "worker", "examples.demo.tasks:app"]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--processes=2"], stderr=output)  # noqa: S603 - our own
    try:
        yield process
    except BaseException:
        sys.stderr.write(log.read_text())
        raise
    finally:
        process.terminate()
        process.wait(60)


def watch(
    results: Results, display: Display, total: int, supervisor: subprocess.Popen[bytes]
) -> None:
    """Show the progress until all is done, and kill one worker half-way."""
    deadline = time.monotonic() + TIMEOUT
    killed = False
    while (done := results.read()) < total:
        display.draw(results)
        if not killed and done > total // 2:
            killed = True
            victim = max(results.by_process)
            os.kill(victim, signal.SIGKILL)
            display.say(f"killed worker process {victim} with SIGKILL")
        if supervisor.poll() is not None:
            raise RuntimeError(f"the workers ended with exit code {supervisor.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {done} of {total} files were done after {TIMEOUT:g} s")
        time.sleep(0.05)
    display.draw(results, last=True)


def report(results: Results, seconds: float) -> int:
    """Print what was done and whether it is right; return the exit code."""
    expected = digests(LIBRARY)
    differences = results.differences(expected)
    twice = sum(count > 1 for count in results.runs.values())
    print(
        f"done: {len(results.by_path):,} files, {results.total('bytes'):,} bytes, "
        f"{results.total('lines'):,} lines, {results.total('words'):,} words"
    )
    print(
        f"speed: {len(results.by_path) / seconds:,.0f} jobs per second over {seconds:.1f} s, "
        "with the start of the workers and the wait for what the dead one held"
    )
    print(
        f"delivered twice because of the kill: {len(results.redelivered)} "
        f"(had run to the end the first time: {twice})"
    )
    if differences:
        print(f"WRONG: {len(differences)} differences from a walk of the same tree without jobs:")
        print("\n".join(differences[:20]))
        return 1
    print(f"lost: none; all {len(expected):,} digests equal those of a walk without jobs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
