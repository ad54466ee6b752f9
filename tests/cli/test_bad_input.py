"""Bad input: one clear line that names the culprit, the exit code as promised, and no traceback."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from work_core import App, QueueName

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Outcome

USAGE, FAILURE = 2, 1

MISTAKES: list[tuple[list[str], int, str]] = [
    (["--frobnicate"], USAGE, "--frobnicate"),
    (["stauts"], USAGE, "unknown command 'stauts'; did you mean 'status'?"),
    (["status", "--url", "localhost"], USAGE, "--url: 'localhost' is no backend URL"),
    (["status", "--url", "rediz://x"], USAGE, "unknown backend 'rediz'; did you mean 'redis'?"),
    (["status", "--url", "sqlite:///a.db?tiemout=1"], USAGE, "unknown option 'tiemout'"),
    (["status", "--url", "redis://x:port"], USAGE, "port of 'redis://x:port' is no number"),
    (["status", "--namespace", ""], USAGE, "--namespace must not be empty"),
    (["status", "--config", "none.toml"], USAGE, "cannot read none.toml: No such file"),
    (["status", "--config", "."], USAGE, "cannot read .: Is a directory"),
    (["status", "--url", "sqlite:////none/here/work.db"], FAILURE, "/none/here/work.db"),
    (["status", "--url", "redis://:hunter2@127.0.0.1:1"], FAILURE, "127.0.0.1:1"),
    (["enqueue"], USAGE, "missing argument 'QUEUE'"),
    (["enqueue", "", "--json", "{}"], USAGE, "the queue's name must not be empty"),
    (["enqueue", "send", "--json", "{to: 1}"], USAGE, "not JSON: Expecting property name"),
    (["enqueue", "send", "--json", '["ann"]'], USAGE, "expected an object of arguments like"),
    (["enqueue", "send", "--json", '{"n": NaN}'], USAGE, "NaN is no JSON number"),
    (["enqueue", "send", "--json", '{"n": 1' + 30 * "0" + "}"], USAGE, "argument 'n' of type int"),
    (["enqueue", "send", "--json", "{}", "x"], USAGE, "give --json or arguments, not both"),
    (["enqueue", "send", "--id", "", "x"], USAGE, "--id must not be empty"),
    (["enqueue", "send", "--delay", "-1", "x"], USAGE, "invalid value for '--delay'"),
    (["worker"], USAGE, "missing argument 'MODULE:APP'"),
    (["worker", "nosuch:app"], USAGE, "no module 'nosuch' in "),
    (["worker", "tasks:ap"], USAGE, "module 'tasks' has no 'ap'; did you mean 'app'?"),
    (["worker", "tasks:send"], USAGE, "tasks:send is Task, not an App; it has: app"),
    (["worker", ":app"], USAGE, "':app' names no app; write module:app"),
    (["worker", "broken:app"], FAILURE, "'broken' cannot be imported: ZeroDivisionError"),
    (["worker", "tasks:app", "-q", "sned"], USAGE, "no task uses queue 'sned'"),
    (["worker", "tasks:app", "-c", "0"], USAGE, "invalid value for '-c' / '--concurrency'"),
    (["worker", "tasks:app", "--max-memory", "lots"], USAGE, "'lots' is no size; write 512M"),
    (["worker", "tasks:app", "--drain", "--reload"], USAGE, "exclude each other"),
    (["health", "--metrics-port", "1"], FAILURE, "no worker answers on 127.0.0.1:1"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "message"), MISTAKES, ids=[" ".join(each[0])[:40] for each in MISTAKES]
)
def test_a_mistake_is_told_in_one_line(
    work: Callable[..., Outcome], arguments: list[str], code: int, message: str
) -> None:
    """What was typed wrongly exits with 2, what failed with 1, and one line says what it was."""
    Path("broken.py").write_text("1 / 0\n")

    done = work(*arguments)

    assert message in done.err
    assert done.code == code
    assert done.err.startswith("work: ")
    assert done.err.count("\n") == 1
    assert "hunter2" not in done.err
    assert done.out == ""


def test_an_unreadable_file_is_named(work: Callable[..., Outcome], project: Path) -> None:
    """A settings file that is not text is refused by name."""
    (project / "work.toml").write_bytes(b"\xff\xfe\x00")

    done = work("status")

    assert done.code == USAGE
    assert done.err.startswith("work: work.toml is no TOML: ")


def test_an_unwritable_database_is_named(work: Callable[..., Outcome], project: Path) -> None:
    """A place where no database can be made fails with its name, for root too."""
    (project / "work.db").mkdir()

    done = work("enqueue", "send", "--json", "{}")

    assert done.code == FAILURE
    assert "work.db" in done.err
    assert done.err.count("\n") == 1


def test_a_file_that_is_no_database_is_named(work: Callable[..., Outcome], project: Path) -> None:
    """Some other file at the place of the database is left alone, and said."""
    (project / "work.db").write_text("these are my notes, not a database\n" * 100)

    done = work("enqueue", "send", "--json", "{}")

    assert done.code == FAILURE
    assert "not a database" in done.err
    assert (project / "work.db").read_text().startswith("these are my notes")


def test_a_corrupt_record_is_set_aside(run_work: Callable[..., Outcome], project: Path) -> None:
    """One broken row in the database hides no other job and is reported once."""
    for name in ("ann", "bob", "eve"):
        run_work("enqueue", "send", "--id", name, "--json", f'{{"to": "{name}"}}')
    _corrupt(project / "work.db", "bob")

    done = run_work("worker", "tasks:app", "--drain")

    assert done.code == 0
    assert "bob" in done.err
    ran = "".join(file.read_text() for file in project.glob("ran-*")).splitlines()
    assert sorted(ran) == ["ann 1", "eve 1"]


def _corrupt(database: Path, job_id: str) -> None:
    """Write text where the record of *job_id* holds a time."""
    connection = sqlite3.connect(database)
    with connection:
        changed = connection.execute(
            "UPDATE work_job SET created_at = 'yesterday' WHERE id = ?", [job_id]
        )
        assert changed.rowcount == 1
    connection.close()


def test_a_traceback_only_with_two_v(work: Callable[..., Outcome]) -> None:
    """``-vv`` shows where it happened, above the line."""
    quiet = work("-v", "status", "--url", "localhost")
    loud = work("-vv", "status", "--url", "localhost")

    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err
    assert loud.err.splitlines()[-1] == quiet.err.strip()


def test_a_payload_that_does_not_fit_the_task_is_retried_and_named(
    run_work: Callable[..., Outcome], project: Path
) -> None:
    """A job with arguments that the task does not take fails with their names, and stays."""
    run_work("enqueue", "send", "--json", '{"too": "ann"}')

    done = run_work("worker", "tasks:app", "--drain")

    assert done.code == 0
    assert "misses to and has unknown too" in done.err
    with App("sqlite:///work.db") as app:
        metrics = app.backend.metrics(QueueName("work", "send"), at=app.clock())  # type: ignore[attr-defined]
    assert (metrics.ready, metrics.scheduled) == (0, 1)
    assert not list(project.glob("ran-*"))


def test_no_password_in_what_a_module_raises(run_work: Callable[..., Outcome]) -> None:
    """An app that fails with its URL in the message does not give the password away."""
    Path("leaky.py").write_text("raise ValueError('cannot reach redis://me:hunter2@host/0')\n")

    done = run_work("worker", "leaky:app")

    assert done.code == FAILURE
    assert "redis://me:***@host/0" in done.err
    assert "hunter2" not in done.err
