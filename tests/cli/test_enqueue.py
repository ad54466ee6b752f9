"""``work enqueue``: payloads from arguments, from JSON, and from lines on standard input."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from work_core import App, Job, QueueName
from work_core.codec import decode_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Outcome


@pytest.fixture
def app() -> Iterator[App]:
    """The app that looks into the database."""
    with App("sqlite:///work.db") as app:
        yield app


def _jobs(app: App, queue: str) -> list[Job]:
    backend = app.backend
    found: list[Job] = backend.jobs(QueueName("work", queue)).jobs  # type: ignore[attr-defined]
    return found


def _payloads(app: App, queue: str) -> list[object]:
    return [decode_payload(job.payload) for job in _jobs(app, queue)]


def test_json_is_the_arguments_by_name(work: Callable[..., Outcome], app: App) -> None:
    """``--json`` enqueues one job and prints its id."""
    done = work("enqueue", "send", "--json", '{"to": "ann", "n": 2}')

    (job,) = _jobs(app, "send")
    assert (done.code, done.out) == (0, f"{job.id}\n")
    assert decode_payload(job.payload) == {"to": "ann", "n": 2}


def test_words_are_the_list_args(work: Callable[..., Outcome], app: App) -> None:
    """Words after ``--`` become ``args``, dashes and all."""
    assert work("enqueue", "commands", "--", "ls", "-l").code == 0

    assert _payloads(app, "commands") == [{"args": ["ls", "-l"]}]


def test_id_and_delay(work: Callable[..., Outcome], app: App) -> None:
    """``--id`` chooses the id, a second job with it replaces the first; ``--delay`` hides it."""
    work("enqueue", "send", "--id", "nightly", "--json", '{"n": 1}')
    done = work("enqueue", "send", "--id", "nightly", "--delay", "60", "--json", '{"n": 2}')

    (job,) = _jobs(app, "send")
    assert done.out == "nightly\n"
    assert decode_payload(job.payload) == {"n": 2}
    assert (job.enqueued_at - job.created_at).total_seconds() == 60


def test_task_names_one_of_a_shared_queue(work: Callable[..., Outcome], app: App) -> None:
    """``--task`` marks the payload as ``Task.enqueue`` does on a shared queue."""

    @app.task(queue="shared")
    def resize(width: int) -> None:
        """Do nothing."""

    resize.enqueue(width=3)
    work("enqueue", "shared", "--task", "resize", "--json", '{"width": 3}')

    first, second = _payloads(app, "shared")
    assert first == second


def test_each_line_is_a_job(run_work: Callable[..., Outcome], app: App) -> None:
    """Lines on standard input become jobs, in order; empty ones do not count."""
    lines = "".join(f'{{"n": {number}}}\n' for number in range(2500))

    done = run_work("enqueue", "send", stdin=lines + "\n\n" + '{"n": 2500}')

    assert (done.code, done.out, done.err) == (0, "enqueued 2501 jobs\n", "")
    page = app.backend.jobs(QueueName("work", "send"), limit=3000)  # type: ignore[attr-defined]
    assert [decode_payload(job.payload)["n"] for job in page.jobs] == list(range(2501))


def test_a_bad_line_is_named_and_the_good_ones_are_kept(
    run_work: Callable[..., Outcome], app: App
) -> None:
    """Line 7 of 10 is refused with number and reason; nine jobs are stored; exit code 1."""
    lines = [json.dumps({"n": number}) for number in range(1, 11)]
    lines[6] = '{"n": 7'

    done = run_work("enqueue", "send", stdin="\n".join(lines))

    assert done.code == 1
    assert done.out == "enqueued 9 jobs\n"
    assert done.err.splitlines() == [
        "work: line 7: not JSON: Expecting ',' delimiter at column 8",
        "work: 1 line refused; the others are enqueued",
    ]
    numbers = [payload["n"] for payload in _payloads(app, "send")]  # type: ignore[index]
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6, 8, 9, 10]


def test_lines_that_are_no_text_or_no_object_are_named(run_work: Callable[..., Outcome]) -> None:
    """Each kind of bad line has its own reason."""
    done = run_work("enqueue", "send", stdin=b'{"a": "\xff"}\n[1]\nnull\n{"n": 1e400}\n')

    first, second, third, *_ = done.err.splitlines()
    assert first == "work: line 1: not UTF-8 at byte 7"
    assert second.endswith("found an array")
    assert third.endswith("found null")


def test_many_bad_lines_are_counted(run_work: Callable[..., Outcome]) -> None:
    """A file of the wrong kind does not print a line for each of its lines."""
    done = run_work("enqueue", "send", stdin="x\n" * 1000)

    assert done.code == 1
    assert len(done.err.splitlines()) == 22
    assert "1000 lines refused" in done.err


def test_an_empty_input_is_a_mistake(run_work: Callable[..., Outcome]) -> None:
    """Nothing on standard input enqueues nothing, and says how to enqueue without arguments."""
    done = run_work("enqueue", "send", stdin="")

    assert done.code == 2
    assert "standard input was empty; a job without arguments is: --json '{}'" in done.err


def test_a_store_that_is_away_says_what_was_done(run_work: Callable[..., Outcome]) -> None:
    """When the store fails, the message tells how far it came."""
    done = run_work("enqueue", "send", "--url", "redis://127.0.0.1:1", stdin='{"n": 1}\n')

    assert done.code == 1
    assert "stopped, nothing is enqueued: " in done.err


def test_the_lines_of_a_slow_pipe_do_not_wait(project: Path) -> None:
    """A line is enqueued when it is there, before the pipe ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "work_core.cli", "enqueue", "send"], stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(b'{"n": 1}\n')
    process.stdin.flush()
    with App(f"sqlite:///{project / 'work.db'}") as app:
        backend = app.backend
        found = backend.dequeue(QueueName("work", "send"), 1, at=app.clock(), lease=5.0, wait=60.0)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(60) == 0
    assert len(found) == 1


def test_a_terminal_shows_progress(project: Path) -> None:
    """On a terminal a line shows how much of the file is done; it is cleared at the end."""
    lines = project / "jobs.ndjson"
    lines.write_text("".join(json.dumps({"n": number}) + "\n" for number in range(20000)))
    ours, theirs = pty.openpty()
    with lines.open("rb") as source:
        process = subprocess.Popen(
            [sys.executable, "-m", "work_core.cli", "enqueue", "send"],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
    os.close(theirs)
    shown = _read_all(ours)
    out, _ = process.communicate(timeout=60)

    assert out == b"enqueued 20000 jobs\n"
    assert b"jobs, " in shown
    assert b"%" in shown
    assert shown.endswith(b"\r\x1b[K")


def _read_all(descriptor: int) -> bytes:
    shown = b""
    try:
        while piece := os.read(descriptor, 4096):
            shown += piece
    except OSError:  # Linux says EIO when the other end is closed
        pass
    os.close(descriptor)
    return shown
