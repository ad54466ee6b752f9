"""Listing queues, and their jobs page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from work_core.capabilities import Browser
from work_core.errors import ConfigError
from work_core.job import QueueName
from work_core.testing.conformance.area import Area
from work_core.testing.conformance.queue_under_test import QueueUnderTest, ids

if TYPE_CHECKING:
    from work_core.job import Job


class Browsing(Area, capability=Browser):
    """``queues`` and ``jobs``."""

    def test_queues_are_listed_by_name(self, queue: QueueUnderTest) -> None:
        """``queues`` lists the queues of the namespace that hold jobs, sorted, and no others."""
        namespace = queue.name.namespace
        for place, name in [(namespace, "b"), (namespace, "a"), (f"{namespace}-2", "c")]:
            QueueUnderTest(queue.backend, QueueName(place, name), queue.travel).put()
        assert _browser(queue).queues(namespace) == [
            QueueName(namespace, "a"),
            QueueName(namespace, "b"),
        ]

    def test_leased_and_scheduled_jobs_keep_a_queue_listed(self, queue: QueueUnderTest) -> None:
        """A queue whose jobs are all leased or scheduled is listed."""
        queue.put()
        queue.dequeue()
        other = QueueUnderTest(
            queue.backend, QueueName(queue.name.namespace, "scheduled"), queue.travel
        )
        other.put(due=queue.travel.unit)
        assert _browser(queue).queues(queue.name.namespace) == [queue.name, other.name]

    def test_emptied_queue_is_not_listed(self, queue: QueueUnderTest) -> None:
        """A queue whose last job is acked is not listed."""
        queue.put()
        queue.ack(*queue.dequeue())
        assert _browser(queue).queues(queue.name.namespace) == []

    def test_unknown_queue_has_an_empty_page(self, queue: QueueUnderTest) -> None:
        """A queue without jobs has one empty page."""
        assert _browser(queue).jobs(queue.name) == ([], None)

    def test_jobs_come_in_due_order(self, queue: QueueUnderTest) -> None:
        """A page shows jobs in due order, scheduled ones included, with all their fields."""
        unit = queue.travel.unit
        jobs = [queue.job(b"%d" % n, due=(n - 2) * unit) for n in range(5)]
        queue.enqueue(*reversed(jobs))
        page = _browser(queue).jobs(queue.name)
        assert page.jobs == jobs
        assert page.cursor is None

    def test_leased_jobs_are_shown(self, queue: QueueUnderTest) -> None:
        """A leased job is on a page, without its lease, and stays leased."""
        put = queue.put()
        [job] = queue.dequeue()
        [shown] = _browser(queue).jobs(queue.name).jobs
        assert (shown.id, shown.lease) == (put.id, None)
        assert queue.ack(job) == []

    @pytest.mark.parametrize("limit", [1, 4, 5, 25])
    def test_pages_show_each_job_once(self, queue: QueueUnderTest, limit: int) -> None:
        """Read page by page, every job is seen once, and the last page has no cursor."""
        now = queue.travel.now
        jobs = [queue.job(id=f"{number:02d}") for number in range(10)]
        for job in jobs:
            job.enqueued_at = now
        queue.enqueue(*jobs)
        assert ids(_all_pages(queue, limit)) == ids(jobs)

    def test_acked_jobs_do_not_disturb_the_pages(self, queue: QueueUnderTest) -> None:
        """A job that stays is seen once even when the job at the end of a page goes meanwhile."""
        jobs = [
            queue.job(id=f"{number}", due=(number - 9) * queue.travel.unit) for number in range(9)
        ]
        queue.enqueue(*jobs)
        first = _browser(queue).jobs(queue.name, limit=3)
        queue.ack(*queue.dequeue(3))
        rest = _browser(queue).jobs(queue.name, limit=100, after=first.cursor)
        assert ids(first.jobs + rest.jobs) == ids(jobs)

    @pytest.mark.parametrize("cursor", ["", "garbage", "no:cursor of this", "\0", "1 2"])
    def test_foreign_cursor_is_refused(self, queue: QueueUnderTest, cursor: str) -> None:
        """A cursor that the backend did not make is a ``ConfigError``."""
        queue.put()
        with pytest.raises(ConfigError):
            _browser(queue).jobs(queue.name, after=cursor)


def _browser(queue: QueueUnderTest) -> Browser:
    assert isinstance(queue.backend, Browser)
    return queue.backend


def _all_pages(queue: QueueUnderTest, limit: int) -> list[Job]:
    page = _browser(queue).jobs(queue.name, limit=limit)
    seen = page.jobs
    assert len(page.jobs) <= limit
    while page.cursor is not None:
        page = _browser(queue).jobs(queue.name, limit=limit, after=page.cursor)
        assert len(page.jobs) <= limit
        seen = seen + page.jobs
    return seen
