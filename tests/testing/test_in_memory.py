"""What users get to test their own jobs with."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

from work_core import App, Discard
from work_core.testing import (
    InMemory,
    assert_enqueued,
    assert_not_enqueued,
    enqueued,
    in_memory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_core import Task


class Shop:
    """An application with two tasks, and what they have done."""

    def __init__(self) -> None:
        self.app = App("sqlite:////nowhere/at/all.db", namespace="shop", plugins=[])
        self.sent: list[str] = []
        self.fails = 0

        @self.app.task(queue="mail")
        def send_mail(to: str, tags: list[str] | None = None) -> None:
            if self.fails:
                self.fails -= 1
                raise ConnectionError("the mail server is away")
            self.sent.append(to)

        @self.app.task(queue="mail")
        def send_letter(to: str) -> None:
            send_mail.options(delay=60).enqueue(f"{to} in writing")

        @self.app.task
        def give_up() -> None:
            raise Discard("no use")

        @self.app.task
        async def send_later(to: str) -> None:
            await asyncio.sleep(0)
            await send_mail.aenqueue(to)

        self.send_later: Task[..., Any] = send_later
        self.send_mail: Task[..., None] = send_mail
        self.send_letter: Task[..., None] = send_letter
        self.give_up: Task[..., None] = give_up


@pytest.fixture
def shop() -> Shop:
    """An application whose own store cannot be opened."""
    return Shop()


@pytest.fixture
def jobs(shop: Shop) -> Iterator[InMemory]:
    """The application on memory."""
    with in_memory(shop.app) as jobs:
        yield jobs


def test_drain_runs_what_is_due(shop: Shop, jobs: InMemory) -> None:
    """Drain runs due jobs and counts them; nothing of the app's own store is touched."""
    shop.send_mail.enqueue("ada")
    shop.send_mail.enqueue("bob")
    assert jobs.drain() == 2
    assert sorted(shop.sent) == ["ada", "bob"]
    assert jobs.drain() == 0


def test_async_tasks_run_too(shop: Shop, jobs: InMemory) -> None:
    """Drain runs async tasks, and what they enqueue."""
    shop.send_later.enqueue("ada")
    assert jobs.drain() == 2
    assert shop.sent == ["ada"]


def test_later_jobs_wait_for_travel(shop: Shop, jobs: InMemory) -> None:
    """A delayed job runs once the test has travelled to its time, without sleeping."""
    shop.send_mail.options(delay=3600).enqueue("ada")
    assert jobs.drain() == 0
    jobs.travel(3599)
    assert jobs.drain() == 0
    jobs.travel(1)
    assert jobs.drain() == 1


def test_run_for_meets_each_due_time(shop: Shop, jobs: InMemory) -> None:
    """Letting time pass runs jobs in between, and what they enqueue."""
    shop.send_letter.options(delay=10).enqueue("ada")
    assert jobs.run_for(69) == 1
    assert jobs.run_for(1) == 1
    assert shop.sent == ["ada in writing"]


def test_failure_of_a_handler_is_raised(shop: Shop, jobs: InMemory) -> None:
    """A failing handler fails the test unless it asks not to."""
    shop.fails = 1
    shop.send_mail.enqueue("ada")
    with pytest.raises(ConnectionError, match="away"):
        jobs.drain()


def test_retries_can_be_tested(shop: Shop, jobs: InMemory) -> None:
    """With ``raising=False`` failures are collected and retries run in their time."""
    shop.fails = 2
    shop.send_mail.enqueue("ada")
    assert jobs.run_for(60, raising=False) == 3
    assert shop.sent == ["ada"]
    assert [str(failure) for failure in jobs.failures] == ["the mail server is away"] * 2


def test_discard_is_no_failure(shop: Shop, jobs: InMemory) -> None:
    """A handler that gives a job up on purpose does not fail the test."""
    shop.give_up.enqueue()
    assert jobs.drain() == 1
    assert jobs.failures == []


def test_app_is_given_back(shop: Shop) -> None:
    """Afterwards the app has its URL, clock and plug-ins again, and each use starts empty."""
    before = (shop.app.url, shop.app.clock, list(shop.app.plugins))
    with in_memory(shop.app):
        shop.send_mail.enqueue("ada")
    assert (shop.app.url, shop.app.clock, shop.app.plugins) == before
    with in_memory(shop.app):
        assert enqueued(shop.send_mail) == []


def test_enqueued_call_is_found(shop: Shop, jobs: InMemory) -> None:
    """``assert_enqueued`` returns the first call with the named arguments, due in time."""
    shop.send_mail.options(delay=30).enqueue("ada", tags=["new"])
    call = assert_enqueued(shop.send_mail, to="ada", due_within=30)
    assert call.arguments == {"to": "ada", "tags": ["new"]}
    assert call.due == jobs.travel.after(30)
    assert_enqueued(shop.send_mail, to=ANY, tags=("new",))


def test_missing_call_is_told(shop: Shop, jobs: InMemory) -> None:
    """The failure says what was wanted, and what is enqueued instead."""
    shop.send_mail.options(delay=90).enqueue("ada")
    shop.send_mail.options(delay=120).enqueue("bob")
    shop.send_letter.enqueue("ada")
    with pytest.raises(AssertionError) as raised:
        assert_enqueued(shop.send_mail, to="ada", due_within=60)
    assert str(raised.value) == (
        "send_mail(to='ada'), due within 60 s, is not enqueued; enqueued are:\n"
        "  send_mail(to='ada') due in 90 s\n"
        "  send_mail(to='bob') due in 120 s"
    )
    assert jobs.failures == []


@pytest.mark.usefixtures("jobs")
def test_nothing_enqueued_is_told(shop: Shop) -> None:
    """With no call at all the failure says so."""
    with pytest.raises(
        AssertionError, match=r"^send_mail\(\) is not enqueued; no call of send_mail is$"
    ):
        assert_enqueued(shop.send_mail)


@pytest.mark.usefixtures("jobs")
def test_unwanted_call_is_told(shop: Shop) -> None:
    """``assert_not_enqueued`` fails for a call that matches, and only for that."""
    shop.send_mail.enqueue("ada")
    assert_not_enqueued(shop.send_mail, to="bob")
    assert_not_enqueued(shop.send_letter)
    with pytest.raises(AssertionError, match=r"send_mail\(to='ada'\) is enqueued"):
        assert_not_enqueued(shop.send_mail, to="ada")


@pytest.mark.usefixtures("jobs")
def test_misspelt_argument_is_refused(shop: Shop) -> None:
    """An argument that the task does not have is an error of the test, not a missing call."""
    with pytest.raises(TypeError, match="'send_mail' has no parameter 'too'; it has: to, tags"):
        assert_not_enqueued(shop.send_mail, too="ada")


def test_testing_jobs_needs_no_pytest() -> None:
    """The tools for users load neither pytest nor hypothesis, and work_core loads none of them."""
    code = (
        "import sys, work_core; assert 'work_core.testing' not in sys.modules; "
        "from work_core.testing import in_memory; "
        "assert not {'pytest', 'hypothesis'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
