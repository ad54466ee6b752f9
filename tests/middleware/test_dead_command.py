"""``work dead``, as it is typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.middleware.folded import fail, handled, make_context

from work_core.cli import cli
from work_core.codec import encode_payload
from work_core.errors import Discard
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend
from work_middleware.dead_letters import DeadLetters
from work_middleware.max_retries import MaxRetries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(params=["sqlite", "redis"])
def store_url(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Return the URL of a store that outlives a process."""
    if request.param == "redis":
        url: str = request.getfixturevalue("redis_url")
        return url
    return f"sqlite:///{tmp_path}/work.db"


@pytest.fixture
def work(store_url: str, namespace: str) -> Callable[..., Result]:
    """Return a way to type ``work``, with two dead jobs in the store."""
    queue = QueueName(namespace, "send")
    with open_backend(store_url) as backend:
        for job_id in ("a", "b"):
            job = Job(encode_payload({"to": job_id, "raw": b"\xff"}), job_id)
            with pytest.raises(Discard):
                handled(fail, DeadLetters(), MaxRetries(0))(job, make_context(backend, queue))

    def run(*arguments: str) -> Result:
        everywhere = ["--url", store_url, "--namespace", namespace]
        return CliRunner().invoke(cli, ["dead", *arguments, *everywhere])

    return run


def test_list_counts_per_queue(work: Callable[..., Result]) -> None:
    """Without a queue."""
    assert work("list").output.split() == ["QUEUE", "DEAD", "send", "2"]
    assert json.loads(work("list", "--json").output)["dead"] == 2


def test_list_shows_the_letters_of_a_queue(work: Callable[..., Result]) -> None:
    """One per line, the oldest first."""
    lines = work("list", "send").output.splitlines()
    assert [line.split()[0] for line in lines] == ["JOB", "a", "b"]
    assert lines[1].endswith("failed with 0 retries spent  ValueError: no reason")
    assert len(work("list", "send", "--limit", "1").output.splitlines()) == 2


def test_list_speaks_json(work: Callable[..., Result]) -> None:
    """One object per line, the payload decoded."""
    first, second = (
        json.loads(line) for line in work("list", "send", "--json").output.splitlines()
    )
    assert (first["id"], second["id"]) == ("a", "b")
    assert first["payload"] == {"to": "a", "raw": "ff"}


def test_an_empty_queue_says_so(work: Callable[..., Result]) -> None:
    """Instead of printing nothing."""
    assert work("list", "other").output == "no dead letters of queue 'other'\n"


def test_show_tells_all(work: Callable[..., Result]) -> None:
    """What is known of one job, its traceback included."""
    shown = work("show", "send", "b").output
    assert "payload:    {'to': 'b', 'raw': b'\\xff'}" in shown
    assert "error:      ValueError: no reason" in shown
    assert 'raise ValueError("no reason")' in shown
    assert json.loads(work("show", "send", "b", "--json").output)["id"] == "b"


def test_show_of_nobody_is_an_error(work: Callable[..., Result]) -> None:
    """With the place to look."""
    result = work("show", "send", "nobody")
    assert result.exit_code == 1
    assert result.output == (
        "work: no dead letter of job 'nobody' in queue 'send'; see: work dead list\n"
    )


def test_replay_enqueues(work: Callable[..., Result], store_url: str, namespace: str) -> None:
    """The named ones, or all."""
    assert work("replay", "send", "a").output == "1 dead job enqueued again into 'send'\n"
    assert work("replay", "send", "--all").output == "1 dead job enqueued again into 'send'\n"
    with open_backend(store_url) as backend:
        jobs = backend.dequeue(QueueName(namespace, "send"), 9, at=utc_now(), lease=1.0)
    assert sorted(job.id for job in jobs) == ["a", "b"]


def test_replay_of_a_stranger_says_so(work: Callable[..., Result]) -> None:
    """And does the others."""
    result = work("replay", "send", "a", "nobody")
    assert result.exit_code == 1
    assert "1 dead job enqueued again" in result.output
    assert "1 of the jobs have no dead letter here" in result.output


def test_purge_deletes(work: Callable[..., Result]) -> None:
    """By job, by age, or all."""
    assert work("purge", "send", "--older-than", "1").output == "0 dead jobs deleted\n"
    assert work("purge", "send", "a").output == "1 dead job deleted\n"
    assert work("purge", "send", "--all").output == "1 dead job deleted\n"


@pytest.mark.parametrize("verb", ["replay", "purge"])
def test_nothing_is_done_to_all_by_accident(work: Callable[..., Result], verb: str) -> None:
    """Saying neither which nor all is a mistake, and so is saying both."""
    for arguments in ((), ("a", "--all")):
        result = work(verb, "send", *arguments)
        assert result.exit_code == 2
        assert result.output == "work: say which: name jobs, or say --all\n"
