"""``sidekiq://``: enqueue jobs that a Sidekiq process in Ruby will run."""

# ruff: noqa: ARG002 - what refuses a call does not look at its arguments

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from work_core.backend import Backend
from work_core.errors import ConfigError, InvalidPayload, UnsupportedError
from work_core.job import utc_now
from work_redis import scripts
from work_redis.keys import encode
from work_redis.store import in_steps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from work_core.job import Job, QueueName
    from work_redis.client import Client


class SidekiqBackend(Backend):
    """Push to Sidekiq's own queues and schedule.

    The namespace is that of redis-namespace, usually empty. A queue id is ``QUEUE/CLASS``, a
    payload the JSON array of the arguments.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Push due jobs to the queue and later ones to the schedule.

        Sidekiq cannot replace a job: one that is enqueued twice runs twice. So a call whose answer
        was lost is not sent again.

        Raises:
            ConfigError: when the queue id is not of the form ``QUEUE/CLASS``.
            InvalidPayload: when a payload is no JSON array; nothing was stored then.
        """
        name, class_name = _parse(queue)
        now = utc_now()
        entries = [_entry(job, name, class_name, now) for job in jobs]
        prefix = f"{queue.namespace}:" if queue.namespace else ""
        keys = tuple(encode(prefix + key) for key in ("queues", f"queue:{name}", "schedule"))

        def push(step: list[Any]) -> None:
            arguments = [encode(name), *step]
            self._client.run(scripts.SIDEKIQ, queue.namespace, keys, arguments, again=False)

        in_steps(jobs, entries, push)

    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Refuse: Sidekiq runs its jobs."""
        _refuse("dequeue")

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Refuse: Sidekiq runs its jobs."""
        _refuse("ack")

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Refuse: Sidekiq runs its jobs."""
        _refuse("reschedule")

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Refuse: Sidekiq runs its jobs."""
        _refuse("extend")

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __repr__(self) -> str:
        return f"<SidekiqBackend {self._client.server}>"


def _refuse(method: str) -> NoReturn:
    raise UnsupportedError(
        f"sidekiq:// only enqueues, so it cannot {method}; a Sidekiq process runs these jobs. "
        "To run jobs here use redis://"
    )


def _parse(queue: QueueName) -> tuple[str, str]:
    name, _, class_name = queue.queue_id.partition("/")
    if not name or not class_name:
        raise ConfigError(
            f"queue id {queue.queue_id!r} does not say which class runs the job; "
            "expected QUEUE/CLASS, such as 'default/SendMail'"
        )
    return name, class_name


def _entry(job: Job, name: str, class_name: str, now: datetime) -> tuple[Any, bytes]:
    fields: dict[str, Any] = {
        "class": class_name,
        "jid": job.id,
        "args": _arguments(job),
        "created_at": job.created_at.timestamp(),
        "enqueued_at": job.enqueued_at.timestamp(),
        "queue": name,
        "retry": True,
    }
    if job.retries:
        fields["retry_count"] = job.retries
    if job.last_error:
        failed_at = job.updated_at.timestamp()
        fields |= {
            "error_message": job.last_error,
            "error_class": "StandardError",
            "failed_at": failed_at,
            "retried_at": failed_at,
        }
    due = job.enqueued_at.timestamp() if job.enqueued_at > now else ""
    return due, json.dumps(fields, separators=(",", ":")).encode()


def _arguments(job: Job) -> list[Any]:
    try:
        arguments = json.loads(job.payload)
    except ValueError as error:
        raise InvalidPayload(
            f"the payload of job {job.id!r} is no JSON: {error}; expected an array of arguments"
        ) from error
    if not isinstance(arguments, list):
        raise InvalidPayload(
            f"the payload of job {job.id!r} is a JSON {type(arguments).__name__}; "
            "expected an array of arguments"
        )
    return arguments
