"""``work worker`` in one process and under its supervisor; every process here is a real one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tests.servers.process import free_port, wait_until

from work_core import App, QueueName
from work_core.capabilities import MetricsExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Outcome

EXAMPLES = Path(__file__).parents[2]


class Running:
    """A ``work worker`` in the background, and what it has written."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What is on its standard error so far."""
        return self._log.read_text()

    def children(self) -> list[int]:
        """Return the process ids of its children."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(word) for word in listed.stdout.split()]

    def end(self, *signals: int) -> int:
        """Send *signals* and return the exit code."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def worker(project: Path) -> Iterator[Callable[..., Running]]:
    """Start ``work worker tasks:app`` with more arguments; it is ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, target: str = "tasks:app") -> Running:
        log = project / f"log-{len(started)}"
        command = [sys.executable, "-m", "work_core.cli", "worker", target, *arguments]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stderr=output, stdout=output)
        started.append(process)
        return Running(process, log)

    yield start
    for process in started:
        children = Running(process, project).children()
        if process.poll() is None:
            process.kill()
        process.wait()
        for child in filter(_alive, children):  # one whose handler holds the GIL ends no other way
            os.kill(child, signal.SIGKILL)


def _ran() -> Counter[str]:
    """Count what the tasks have noted."""
    return Counter(line for file in Path().glob("ran-*") for line in file.read_text().splitlines())


def _processes() -> set[int]:
    """Return the ids of the processes that have noted something."""
    return {int(file.name.removeprefix("ran-")) for file in Path().glob("ran-*")}


def _waiting(queue: str = "send") -> tuple[int, int]:
    with App("sqlite:///work.db") as app:
        assert isinstance(app.backend, MetricsExporter)
        found = app.backend.metrics(QueueName("work", queue), at=app.clock())
    return found.ready, found.scheduled


def _alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _lines(count: int) -> str:
    return "".join(f'{{"to": "job", "n": {number}}}\n' for number in range(count))


# -- one process ----------------------------------------------------------------------------------


def test_drain_runs_what_is_due_and_ends(run_work: Callable[..., Outcome]) -> None:
    """``--drain`` runs all due jobs, says how many, and exits with 0."""
    run_work("enqueue", "send", stdin=_lines(20))

    done = run_work("worker", "tasks:app", "--drain")

    assert (done.code, done.out) == (0, "drained: 20 jobs\n")
    assert sum(_ran().values()) == 20


def test_queue_chooses_what_is_run(run_work: Callable[..., Outcome]) -> None:
    """``--queue`` leaves the jobs of other queues alone."""
    run_work("enqueue", "send", "--json", '{"to": "ann"}')

    done = run_work("worker", "tasks:app", "--drain", "--queue", "slow")

    assert done.out == "drained: 0 jobs\n"
    assert _waiting() == (1, 0)


def test_url_and_namespace_win_over_the_app(
    run_work: Callable[..., Outcome], project: Path
) -> None:
    """The options hold even where the app names its own URL."""
    source = (project / "tasks.py").read_text()
    (project / "tasks.py").write_text(source.replace("App()", 'App("sqlite:///own.db")'))
    where = ("--url", "sqlite:///other.db", "--namespace", "shop")
    run_work("enqueue", "send", "--json", '{"to": "ann"}', *where)

    done = run_work("worker", "tasks", "--drain", *where)

    assert done.out == "drained: 1 job\n"
    assert not (project / "own.db").exists()


def test_the_command_example_runs_what_was_enqueued(run_work: Callable[..., Outcome]) -> None:
    """``work enqueue commands -- echo hello`` is run by ``examples/commands.py``."""
    run_work("enqueue", "commands", "--", "echo", "hello", "-l")

    done = run_work("worker", "examples.commands:app", "--drain", PYTHONPATH=str(EXAMPLES))

    assert done.out == "hello -l\ndrained: 1 job\n"


@pytest.mark.parametrize("arguments", [[], ["--processes", "2"]])
def test_the_first_signal_lets_jobs_end(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], arguments: list[str]
) -> None:
    """On SIGTERM a running job ends, is acked, and the exit code is 0."""
    run_work("enqueue", "slow", "--json", '{"seconds": 0.5}')
    running = worker(*arguments)
    wait_until(lambda: _ran()["begun"] == 1, "the job to begin")

    assert running.end(signal.SIGTERM) == 0
    assert _ran()["ended"] == 1
    assert _waiting("slow") == (0, 0)


@pytest.mark.parametrize("arguments", [[], ["--processes", "2"]])
def test_the_second_signal_ends_at_once(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], arguments: list[str]
) -> None:
    """A second SIGTERM does not wait for the job, which stays in the store."""
    run_work("enqueue", "slow", "--json", '{"seconds": 600}')
    running = worker(*arguments)
    wait_until(lambda: _ran()["begun"] == 1, "the job to begin")
    children = running.children()

    running.process.send_signal(signal.SIGTERM)
    if arguments:
        wait_until(lambda: "stopping" in running.log, "the first signal to be heard")
    else:
        wait_until(lambda: _stops(running), "the first signal to be heard")

    assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM
    wait_until(lambda: not any(map(_alive, children)), "the children to end")
    assert _ran()["ended"] == 0
    assert sum(_waiting("slow")) == 1


def _stops(running: Running) -> bool:
    """Tell whether the signal is no longer pending, so that a second one is a second one."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return all(int(line.split()[1], 16) == 0 for line in re.findall(r"\w+Pnd:\s+\w+", status))


# -- under a supervisor ---------------------------------------------------------------------------


def test_a_blocking_handler_does_not_keep_the_process(
    worker: Callable[..., Running], project: Path
) -> None:
    """A sync handler beside async ones that outlives the grace period is left behind."""
    mixed = """
@app.task(queue="mixed")
def hang() -> None:
    note("begun")
    time.sleep(600)

@app.task(queue="mixed")
async def rest() -> None: ...

if __name__ == "__main__":
    hang.enqueue()
"""
    (project / "tasks.py").write_text((project / "tasks.py").read_text() + mixed)
    subprocess.run([sys.executable, "tasks.py"], check=True)
    running = worker("--grace", "0.1")
    wait_until(lambda: _ran()["begun"] == 1, "the handler to begin")

    assert running.end(signal.SIGTERM) == 0
    assert "a handler does not end; leaving it behind" in running.log
    assert _waiting("mixed") == (1, 0)


def test_strict_serves_queues_in_order(run_work: Callable[..., Outcome]) -> None:
    """``--strict`` reaches the worker, also through a supervisor."""
    run_work("enqueue", "send", stdin=_lines(20))

    done = run_work(
        "worker", "tasks:app", "--drain", "--strict", "-q", "slow", "-q", "send", "-p", "2"
    )

    assert (done.code, done.out) == (0, "drained: 20 jobs\n")


def test_kill_9_in_the_middle_of_2000_jobs_loses_none(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], project: Path
) -> None:
    """Four processes on one SQLite file, two of them killed on the way: every job is done."""
    source = (project / "tasks.py").read_text()
    source = source.replace("@app.task\n", "@app.task(lease=3, concurrency=1)\n")
    source = source.replace('note(f"{to} {n}")', 'note(f"{to} {n}"); time.sleep(0.005)')
    (project / "tasks.py").write_text(source)
    run_work("enqueue", "send", stdin=_lines(2000))
    running = worker("--processes", "4")

    for done in (200, 400):
        wait_until(lambda done=done: len(_ran()) > done, f"{done} jobs")  # type: ignore[misc]
        os.kill(max(_processes() & set(running.children())), signal.SIGKILL)

    wait_until(lambda: len(_ran()) == 2000 and _waiting() == (0, 0), "all jobs to be done")
    assert running.end(signal.SIGTERM) == 0
    assert running.log.count("ended with SIGKILL") == 2
    check = run_work("status")
    assert check.out.startswith("no jobs in namespace 'work'")


def test_a_drain_with_processes_ends_when_all_are_done(run_work: Callable[..., Outcome]) -> None:
    """``--drain --processes 3`` runs everything once and adds up what was run."""
    run_work("enqueue", "send", stdin=_lines(500))

    done = run_work("worker", "tasks:app", "--drain", "--processes", "3")

    assert (done.code, done.out) == (0, "drained: 500 jobs\n")
    assert set(_ran().values()) == {1}


def test_no_worker_outlives_its_supervisor(worker: Callable[..., Running]) -> None:
    """When the supervisor is killed its children stop by themselves."""
    running = worker("--processes", "2")
    wait_until(lambda: len(running.children()) == 2, "two children")
    children = running.children()

    running.end(signal.SIGKILL)

    wait_until(lambda: not any(map(_alive, children)), "the children to stop")


def test_a_process_is_replaced_after_its_jobs(
    run_work: Callable[..., Outcome], worker: Callable[..., Running]
) -> None:
    """``--max-jobs`` retires a process gracefully and starts a fresh one."""
    running = worker("--max-jobs", "5")
    for round_ in (1, 2, 3):
        run_work("enqueue", "send", stdin=_lines(5))
        wait_until(lambda n=round_: len(_processes()) == n, "a fresh process")  # type: ignore[misc]
        wait_until(lambda n=round_: running.log.count("is replaced") == n, "its end")  # type: ignore[misc]

    assert "has run 5 jobs" in running.log
    assert running.end(signal.SIGTERM) == 0
    assert sum(_ran().values()) == 15


def test_a_process_is_replaced_above_its_memory(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], project: Path
) -> None:
    """``--max-memory`` retires a process that has grown."""
    with (project / "tasks.py").open("a") as file:
        file.write("kept = []\n@app.task\ndef grow():\n    kept.append(bytearray(200 << 20))\n")
    running = worker("--max-memory", "150M")
    run_work("enqueue", "grow", "--json", "{}")

    wait_until(lambda: "MiB of memory" in running.log, "the process to be replaced")
    run_work("enqueue", "send", "--json", '{"to": "ann"}')
    wait_until(lambda: sum(_ran().values()) == 1, "the next process to work")
    assert running.end(signal.SIGTERM) == 0


OVERRUNNING = {
    "asleep in C": "time.sleep(600)",
    "holding the interpreter": "__import__('re').match('(a+)+b', 'a' * 64)",
}


@pytest.mark.parametrize("body", OVERRUNNING.values(), ids=OVERRUNNING)
def test_a_process_whose_job_overruns_is_killed(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], project: Path, body: str
) -> None:
    """A job that no timeout can end takes its process with it, and counts as delivered."""
    (project / "stuck.py").write_text(
        "import os, time\n"
        "from work_core import App, current_job\n"
        "app = App()\n"
        "@app.task(timeout=0.3, lease=3)\n"
        "def stick():\n"
        "    if current_job().deliveries == 1:\n"
        f"        {body}\n"
        "    open(f'ran-{os.getpid()}', 'w').write('second delivery')\n"
    )
    run_work("enqueue", "stick", "--json", "{}")

    running = worker("--processes", "2", "--grace", "0.5", target="stuck:app")

    wait_until(lambda: _ran()["second delivery"] == 1, "the job to be delivered again")
    assert "is killed: " in running.log
    assert running.end(signal.SIGTERM) == 0


def test_reload_runs_the_changed_code(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], project: Path
) -> None:
    """``--reload`` replaces the worker when a file changes, and survives a file that is broken."""
    source = (project / "tasks.py").read_text()
    running = worker("--reload")
    run_work("enqueue", "send", "--json", '{"to": "ann"}')
    wait_until(lambda: _ran()["ann 1"] == 1, "the first job")

    (project / "tasks.py").write_text("this is no Python\n")
    wait_until(lambda: "SyntaxError" in running.log, "the broken file to be noticed")
    (project / "tasks.py").write_text(source.replace('f"{to} {n}"', 'f"changed {to}"'))
    run_work("enqueue", "send", "--json", '{"to": "bob"}')

    wait_until(lambda: _ran()["changed bob"] == 1, "the changed code to run")
    assert running.end(signal.SIGINT) == 0


def test_workers_that_cannot_start_end_the_supervisor(run_work: Callable[..., Outcome]) -> None:
    """An app that cannot be loaded fails once, not four times over and for ever."""
    done = run_work("worker", "nosuch:app", "--processes", "4")

    assert done.code == 2
    assert done.err.count("no module 'nosuch'") == 1
    assert "workers cannot start" in done.err


# -- health and metrics ---------------------------------------------------------------------------


@contextmanager
def _answer(port: int, path: str) -> Iterator[tuple[int, str]]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            yield answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            yield error.code, error.read().decode()


def _health(work: Callable[..., Outcome], port: int, *more: str) -> Outcome:
    return work("health", "--metrics-port", str(port), *more)


@pytest.mark.parametrize("arguments", [[], ["--processes", "2"]])
def test_health_is_that_of_the_workers(
    work: Callable[..., Outcome], worker: Callable[..., Running], arguments: list[str]
) -> None:
    """A worker that fetches is ready and live; one that is gone is neither."""
    port = free_port()
    running = worker("--metrics-port", str(port), "--metrics-host", "127.0.0.1", *arguments)
    wait_until(lambda: _health(work, port).code == 0, "the worker to be ready")

    assert _health(work, port, "--live").out == "ok\n"
    with _answer(port, "/metrics") as (code, body):
        assert (code, body) == (404, "no plug-in offers metrics; add 'prometheus'\n")
    with _answer(port, "/other") as (code, _):
        assert code == 404

    assert running.end(signal.SIGTERM) == 0
    assert _health(work, port).code == 1


def test_a_worker_that_does_not_answer_is_not_ready(
    work: Callable[..., Outcome], worker: Callable[..., Running]
) -> None:
    """A child that is stopped in its tracks is found out by what it no longer reports."""
    port = free_port()
    running = worker("--metrics-port", str(port), "--max-jobs", "1000000")
    wait_until(lambda: _health(work, port).code == 0, "the worker to be ready")

    (child,) = running.children()
    os.kill(child, signal.SIGSTOP)
    try:
        wait_until(lambda: _health(work, port).code == 1, "the silence to be noticed")
        assert "has not reported for" in _health(work, port).err
    finally:
        os.kill(child, signal.SIGCONT)
    wait_until(lambda: _health(work, port).code == 0, "the worker to be ready again")


def test_the_metrics_of_all_processes_are_on_one_page(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], project: Path
) -> None:
    """With several processes the supervisor's page adds up what each has counted."""
    (project / "work.toml").write_text('plugins = ["prometheus"]\n')
    run_work("enqueue", "send", stdin=_lines(40))
    port = free_port()
    running = worker("--metrics-port", str(port), "--processes", "2", "--concurrency", "1")
    wait_until(lambda: sum(_ran().values()) == 40, "all jobs to run")

    def counted() -> float:
        with _answer(port, "/metrics") as (_, page):
            counts = re.findall(r"^work_jobs?_\w*total\{.*\} (\S+)$", page, re.MULTILINE)
        return max(map(float, counts), default=0.0)

    wait_until(lambda: counted() == 40, "the page to count all jobs")
    assert running.end(signal.SIGTERM) == 0


def test_a_port_that_is_taken_is_named(
    run_work: Callable[..., Outcome], worker: Callable[..., Running], work: Callable[..., Outcome]
) -> None:
    """Two workers cannot serve on one port; the second says so and does not start."""
    port = free_port()
    worker("--metrics-port", str(port))
    wait_until(lambda: _health(work, port).code == 0, "the first worker")

    done = run_work("worker", "tasks:app", "--metrics-port", str(port))

    assert done.code == 1
    assert f":{port}: " in done.err
