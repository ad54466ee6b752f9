"""What goes wrong: broken records, a closed backend, a store that is down."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from work_core.capabilities import Browser, JobFinder, MetricsExporter, OnceKeys, Semaphores
from work_core.errors import BackendClosed, BackendUnavailable, InvalidRecord
from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.backend import Backend
    from work_core.job import Job, QueueName
    from work_core.testing.conformance.area import Unreachable
    from work_core.testing.conformance.queue_under_test import QueueUnderTest

_CALLS = [
    "enqueue",
    "dequeue",
    "waiting dequeue",
    "ack",
    "reschedule",
    "extend",
    "exchange",
    "find",
    "delete",
    "metrics",
    "queues",
    "jobs",
    "acquire",
    "release",
    "claim",
    "forget",
]


class Failures(Area):
    """A failure is typed, tells no secret, and costs nobody else a job."""

    def test_broken_record_spares_its_neighbours(
        self,
        queue: QueueUnderTest,
        poison: Callable[[QueueName], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A record that is no job hides none of the others: they all come in the same order."""
        _collect_reports(queue.backend, monkeypatch)
        before = [queue.put(due=-queue.travel.unit) for _ in range(2)]
        poison(queue.name)
        after = [queue.put() for _ in range(2)]
        assert ids(queue.dequeue()) == ids(before + after)

    def test_broken_record_does_not_end_a_round(
        self,
        queue: QueueUnderTest,
        poison: Callable[[QueueName], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A round that finds a broken record first goes on to the good ones behind it."""
        _collect_reports(queue.backend, monkeypatch)
        poison(queue.name)
        put = queue.put()
        now, unit = queue.travel.now, queue.travel.unit
        found = queue.backend.dequeue(queue.name, 1, at=now, lease=unit)
        found += queue.backend.dequeue(queue.name, 1, at=now, lease=unit)
        assert ids(found) == [put.id]

    def test_broken_record_is_reported_once(
        self,
        queue: QueueUnderTest,
        poison: Callable[[QueueName], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A broken record goes to ``report_invalid`` once, and is never met again."""
        reports = _collect_reports(queue.backend, monkeypatch)
        poison(queue.name)
        for _ in range(3):
            assert queue.dequeue() == []
            queue.expire()
        [(name, key, error)] = reports
        assert name == queue.name
        assert key
        assert isinstance(error, InvalidRecord)

    def test_broken_record_is_logged(
        self,
        queue: QueueUnderTest,
        poison: Callable[[QueueName], None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Unless ``report_invalid`` is replaced, a broken record is logged as an error."""
        poison(queue.name)
        assert queue.dequeue() == []
        assert [record.levelname for record in caplog.records if record.name == "work"] == ["ERROR"]

    @pytest.mark.parametrize("call", _CALLS)
    def test_use_after_close_is_refused(self, queue: QueueUnderTest, call: str) -> None:
        """Every call after ``close()`` raises ``BackendClosed``."""
        queue.put()
        [job] = queue.dequeue()
        action = _action(queue.backend, queue, job, call)
        queue.backend.close()
        with pytest.raises(BackendClosed):
            action()

    def test_closing_twice_is_no_error(self, backend: Backend) -> None:
        """``close()`` may be called again, and so may ``wake()`` afterwards."""
        backend.close()
        backend.close()
        backend.wake()

    @pytest.mark.parametrize("call", _CALLS)
    def test_store_that_is_down_is_unavailable(
        self,
        queue: QueueUnderTest,
        unreachable: Unreachable,
        caplog: pytest.LogCaptureFixture,
        call: str,
    ) -> None:
        """A call on a store that is down is ``BackendUnavailable``, and shows no password."""
        backend, secret = unreachable
        queue.put()
        [job] = queue.dequeue()
        action = _action(backend, queue, job, call)
        with pytest.raises(BackendUnavailable) as raised:
            action()
        assert raised.value.__cause__ is not None, "the driver's error is not chained with `from`"
        shown = "".join(traceback.format_exception(raised.value))
        for text in (str(raised.value), repr(raised.value), repr(backend), shown, caplog.text):
            assert secret not in text, "the password is shown"


def _collect_reports(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[QueueName, str, InvalidRecord]]:
    reports: list[tuple[QueueName, str, InvalidRecord]] = []
    monkeypatch.setattr(backend, "report_invalid", lambda *report: reports.append(report))
    return reports


def _action(
    backend: Backend, under_test: QueueUnderTest, job: Job, call: str
) -> Callable[[], object]:
    """Return *call* with arguments that would do; skip what *backend* cannot do."""
    queue, travel = under_test.name, under_test.travel
    now, later = travel.now, travel.after(travel.unit)
    space, unit = queue.namespace, travel.unit
    actions: dict[str, Callable[[], object]] = {
        "enqueue": lambda: backend.enqueue(queue, [job]),
        "dequeue": lambda: backend.dequeue(queue, 1, at=now, lease=unit),
        "waiting dequeue": lambda: backend.dequeue(queue, 1, at=now, lease=unit, wait=0.05),
        "ack": lambda: backend.ack(queue, [job]),
        "reschedule": lambda: backend.reschedule(queue, [job]),
        "extend": lambda: backend.extend(queue, [job], until=later),
        "exchange": lambda: backend.exchange(queue, [job], 1, at=now, lease=unit),
    }
    if isinstance(backend, JobFinder):
        actions["find"] = lambda: backend.find(queue, ["id"])
        actions["delete"] = lambda: backend.delete(queue, ["id"])
    if isinstance(backend, MetricsExporter):
        actions["metrics"] = lambda: backend.metrics(queue, at=now)
    if isinstance(backend, Browser):
        actions["queues"] = lambda: backend.queues(space)
        actions["jobs"] = lambda: backend.jobs(queue)
    if isinstance(backend, Semaphores):
        actions["acquire"] = lambda: backend.acquire(
            space, "key", "holder", limit=1, at=now, until=later
        )
        actions["release"] = lambda: backend.release(space, "key", "holder")
    if isinstance(backend, OnceKeys):
        actions["claim"] = lambda: backend.claim(space, "key", "owner", at=now, period=unit)
        actions["forget"] = lambda: backend.forget(space, "key", "owner")
    if call not in actions:
        pytest.skip(f"{type(backend).__name__} has no {call}()")
    return actions[call]
