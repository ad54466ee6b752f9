"""One log record per job, with fields."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from tests.middleware.folded import QUEUE, enqueued, fail, handled, make_context, succeed

from work_core.app import App
from work_core.errors import BackendClosed, ConfigError, Discard, LeaveLeased, Snooze
from work_core.job import Job
from work_core.memory import MemoryBackend
from work_core.worker import Worker
from work_middleware.logging import Logging
from work_middleware.max_retries import MaxRetries
from work_middleware.unique import Unique

if TYPE_CHECKING:
    from work_core.backend import Backend


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return what is logged about jobs, from DEBUG on."""
    caplog.set_level(logging.DEBUG, "work.jobs")
    return caplog


def test_a_success_is_debug(logged: pytest.LogCaptureFixture) -> None:
    """Its record carries the fields that a log search needs."""
    handled(succeed, Logging())(Job(id="a"), make_context())
    (record,) = logged.records
    assert record.levelno == logging.DEBUG
    fields = ("job", "queue", "namespace", "task", "attempt")
    assert [getattr(record, name) for name in fields] == ["a", "send", "test", "send", 1]
    assert getattr(record, "duration") >= 0  # noqa: B009 - an attribute that only this record has
    assert record.getMessage().startswith("job a of test/send done after 0.")


def test_a_success_may_be_louder(logged: pytest.LogCaptureFixture) -> None:
    """For those who want a line per job."""
    handled(succeed, Logging(success="INFO"))(Job())
    assert [record.levelname for record in logged.records] == ["INFO"]


def test_a_failure_is_a_warning_with_traceback(logged: pytest.LogCaptureFixture) -> None:
    """The worker does not report it a second time."""
    context = make_context()
    with pytest.raises(ValueError, match="no reason"):
        handled(fail, Logging())(Job(id="a"), context)
    (record,) = logged.records
    assert record.levelno == logging.WARNING
    assert getattr(record, "error") == "ValueError: no reason"  # noqa: B009 - see above
    assert record.exc_info
    assert context.reported


@pytest.mark.parametrize(
    ("error", "level", "what"),
    [
        (Discard("enough"), "ERROR", "discarded"),
        (Snooze(5), "DEBUG", "snoozed"),
        (LeaveLeased(), "DEBUG", "left leased"),
        (SystemExit(1), "WARNING", "failed"),
    ],
)
def test_each_outcome_has_its_level(
    logged: pytest.LogCaptureFixture, error: BaseException, level: str, what: str
) -> None:
    """Only what somebody should look at is above the level of successes."""

    def handler(_: Job) -> None:
        raise error

    with pytest.raises(type(error)):
        handled(handler, Logging())(Job())
    (record,) = logged.records
    assert record.levelname == level
    assert f" {what} after" in record.getMessage()


def test_it_sees_what_the_others_decide(logged: pytest.LogCaptureFixture) -> None:
    """Even when it stands inside them in the list."""
    with pytest.raises(Discard):
        handled(fail, MaxRetries(0), Logging())(Job())
    assert [record.levelname for record in logged.records] == ["ERROR"]


def test_enqueues_and_duplicates_are_logged(logged: pytest.LogCaptureFixture) -> None:
    """Each job by its id."""
    enqueued(MemoryBackend(), Logging(), Unique(60))(Job(b"x", "a"), Job(b"x", "b"))
    assert [record.getMessage() for record in logged.records] == [
        "job a enqueued into test/send",
        "job b for test/send dropped, job a stands for it",
    ]


def test_a_failed_enqueue_is_an_error(logged: pytest.LogCaptureFixture) -> None:
    """The caller gets the exception as well."""
    store = MemoryBackend()
    store.close()
    with pytest.raises(BackendClosed):
        enqueued(store, Logging())(Job())
    assert [record.levelname for record in logged.records] == ["ERROR"]
    assert "1 jobs of test/send not enqueued" in logged.records[0].getMessage()


def test_structlog_gets_the_fields(logged: pytest.LogCaptureFixture) -> None:
    """Its processors turn the record's attributes into keys."""
    structlog = pytest.importorskip("structlog")
    handled(succeed, Logging())(Job(id="a"))
    (record,) = logged.records
    event: dict[str, object] = {"_record": record}
    event = structlog.stdlib.ExtraAdder()(None, "debug", event)
    assert (event["job"], event["queue"], event["task"]) == ("a", "send", "send")


def test_an_unknown_level_is_refused() -> None:
    """With the ones that are known."""
    with pytest.raises(ConfigError, match=r"DEBUG, INFO.*not 'LOUD'"):
        Logging(success="LOUD")


def test_a_failure_is_logged_once(
    backend: Backend, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By the plug-in and not by the worker, on every store."""
    with App(backend, namespace=namespace, plugins=[Logging()]) as app:

        @app.task(backoff=lambda *_: 60.0)
        def send() -> None:
            raise ValueError("no reason")

        send.enqueue()
        with caplog.at_level(logging.WARNING, "work"):
            Worker(app).drain()
    assert [record.name for record in caplog.records] == ["work.jobs"]
    assert QUEUE.queue_id in caplog.text
