"""Records that are no jobs are moved aside, and what Go writes is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.redis.conftest import lease

from work_core.codec import encode_job
from work_core.job import Job, QueueName, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from work_redis.backend import RedisBackend


def _undecodable(raw: redis.Redis, key: str) -> None:
    raw.hset(key, "msgpack", b"\xc1")


def _another_jobs(raw: redis.Redis, key: str) -> None:
    raw.hset(key, "msgpack", encode_job(Job(id="another")))


def _no_hash(raw: redis.Redis, key: str) -> None:
    raw.set(key, "a string")


@pytest.mark.parametrize("write", [_undecodable, _another_jobs, _no_hash])
def test_record_that_is_no_job_is_set_aside(
    write: Callable[[redis.Redis, str], None],
    backend: RedisBackend,
    raw: redis.Redis,
    queue: QueueName,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such a record is kept, reported once, and out of the way of the job behind it."""
    reported: list[str] = []
    monkeypatch.setattr(backend, "report_invalid", lambda _queue, key, _: reported.append(key))
    key = f"{queue.namespace}:job:poison"
    write(raw, key)
    raw.zadd(f"{queue.namespace}:queue:mail", {key: 1.0})
    good = Job()
    backend.enqueue(queue, [good])

    assert [job.id for job in lease(backend, queue, 1)] == [good.id]

    assert lease(backend, queue) == []
    assert reported == [key]
    assert raw.exists(key)
    assert raw.zrange(f"{queue.namespace}:invalid:mail", 0, -1) == [key.encode()]
    assert raw.zcard(f"{queue.namespace}:queue:mail") == 1, "only the good one"


def test_member_without_hash_is_removed(
    backend: RedisBackend, raw: redis.Redis, queue: QueueName
) -> None:
    """A queue entry whose job somebody deleted by hand goes away, as in Go."""
    raw.zadd(f"{queue.namespace}:queue:mail", {f"{queue.namespace}:job:ghost": 1.0})
    assert lease(backend, queue) == []
    assert not raw.exists(f"{queue.namespace}:queue:mail")


def test_many_records_that_are_no_jobs_do_not_hide_one(
    backend: RedisBackend,
    raw: redis.Redis,
    queue: QueueName,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job behind a thousand broken records is delivered by one call."""
    monkeypatch.setattr(backend, "report_invalid", lambda *_: None)
    with raw.pipeline() as pipeline:
        for number in range(1000):
            key = f"{queue.namespace}:job:{number}"
            pipeline.hset(key, "msgpack", b"\xc1")
            pipeline.zadd(f"{queue.namespace}:queue:mail", {key: 1.0})
        pipeline.execute()
    good = Job()
    backend.enqueue(queue, [good])

    assert [job.id for job in lease(backend, queue, 10)] == [good.id]


def test_cursor_survives_the_job_it_points_at(backend: RedisBackend, queue: QueueName) -> None:
    """Pages go on where they were when the last seen job is gone, among equals too."""
    now = utc_now()
    names = [f"job-{number:02}" for number in range(10)]
    backend.enqueue(queue, [Job(id=name, enqueued_at=now) for name in names])
    page = backend.jobs(queue, limit=4)
    backend.delete(queue, names[2:5])

    rest = backend.jobs(queue, limit=100, after=page.cursor)

    assert [job.id for job in page.jobs + rest.jobs] == names[:4] + names[5:]
    assert rest.cursor is None
