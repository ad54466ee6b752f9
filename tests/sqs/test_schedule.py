"""Delays beyond 15 minutes, leases beyond 12 hours, delivery counts, on a clock that jumps."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from work_core.job import Job, QueueName

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sqs.service import Service
    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "mails")
MINUTE, HOUR = 60.0, 3600.0


class Scene:
    """A backend on the service's clock."""

    def __init__(self, backend: SQSBackend, service: Service) -> None:
        self.backend = backend
        self.service = service
        service.clock.stop()

    def put(self, delay: float) -> Job:
        """Enqueue a job due in *delay* seconds."""
        now = self.service.clock.now()
        job = Job(created_at=now, enqueued_at=now + timedelta(seconds=delay))
        self.backend.enqueue(QUEUE, [job])
        return job

    def lease(self, seconds: float = MINUTE) -> list[Job]:
        """Lease what is due."""
        return self.backend.dequeue(QUEUE, 10, at=self.service.clock.now(), lease=seconds)

    def first_delivery(self, step: float, until: float) -> tuple[float, Job]:
        """Ask every *step* seconds, and return when the job came, and the job."""
        elapsed = 0.0
        while elapsed <= until:
            found = self.lease()
            if found:
                return elapsed, found[0]
            self.service.clock.advance(step)
            elapsed += step
        pytest.fail(f"no delivery within {until} s")


@pytest.fixture
def scene(backend: SQSBackend, service: Service) -> Scene:
    """A scene with a backend of default settings."""
    return Scene(backend, service)


@pytest.mark.parametrize("delay", [16 * MINUTE, 13 * HOUR, 30 * HOUR])
def test_a_far_job_comes_when_due(scene: Scene, delay: float) -> None:
    """A job due in 16 minutes, 13 hours or 30 hours comes when asked then, and is one message."""
    scene.put(delay)
    step = MINUTE if delay < HOUR else 10 * MINUTE
    came, job = scene.first_delivery(step, delay + step)
    assert came == delay
    assert job.deliveries == 1
    assert len(scene.service.messages()) == 1


def test_hops_are_cheap(scene: Scene) -> None:
    """A job due in 12 hours costs one request to hide it beside its own send and receives."""
    scene.put(12 * HOUR)
    scene.service.clock.advance(15 * MINUTE)
    assert scene.lease() == []
    assert scene.backend.requests["ChangeMessageVisibilityBatch"] == 1
    scene.service.clock.advance(12 * HOUR - 15 * MINUTE)
    assert len(scene.lease()) == 1
    assert scene.backend.requests["SendMessageBatch"] == 1


def test_a_hop_is_no_delivery(scene: Scene) -> None:
    """The receive that only hid the job is not counted; a vanished holder is."""
    scene.put(HOUR)
    _, job = scene.first_delivery(MINUTE, HOUR)
    assert job.deliveries == 1
    scene.service.clock.advance(2 * MINUTE)
    [again] = scene.lease()
    assert again.deliveries == 2


@pytest.mark.parametrize("policy", ["redrive", "option"])
def test_with_a_redrive_policy_hops_start_the_count_again(
    service: Service, open_backend: Callable[..., SQSBackend], policy: str
) -> None:
    """Where a receive counts towards the dead-letter queue, or on demand, a hop sends anew."""
    if policy == "redrive":
        redrive = '{"maxReceiveCount": "1", "deadLetterTargetArn": "arn:aws:sqs:::dead"}'
        service.create("shop-mails", RedrivePolicy=redrive)
    options = "create=1" if policy == "redrive" else "create=1&schedule=resend"
    scene = Scene(open_backend(options), service)
    scene.put(2 * HOUR)
    came, job = scene.first_delivery(MINUTE, 2 * HOUR)
    assert (came, job.deliveries) == (2 * HOUR, 1)
    assert [message.receive_count for message in service.messages("mails")] == [1]


def test_a_retry_in_an_hour_keeps_its_error(scene: Scene) -> None:
    """A reschedule far ahead hops like an enqueue, and its fields come back."""
    scene.put(0)
    [job] = scene.lease()
    job.retries, job.last_error = 3, "boom"
    job.enqueued_at = scene.service.clock.now() + timedelta(hours=1)
    assert scene.backend.reschedule(QUEUE, [job]) == []
    came, again = scene.first_delivery(MINUTE, HOUR)
    assert (came, again.retries, again.last_error, again.deliveries) == (HOUR, 3, "boom", 1)


def test_a_lease_ends_after_twelve_hours(scene: Scene) -> None:
    """Extensions end 12 hours after the receive; the lease tells it, and then it is lost."""
    scene.put(0)
    [job] = scene.lease(HOUR)
    start = scene.service.clock.now()
    for _ in range(11):
        scene.service.clock.advance(HOUR - 1)
        until = scene.service.clock.now() + timedelta(hours=1.5)
        assert scene.backend.extend(QUEUE, [job], until=until) == []
    scene.service.clock.advance(HOUR - 1)
    until = scene.service.clock.now() + timedelta(hours=1.5)
    assert scene.backend.extend(QUEUE, [job], until=until) == []
    assert job.lease is not None
    assert job.lease.until == start + timedelta(seconds=12 * HOUR - 1)
    scene.service.clock.advance(15)
    assert scene.backend.extend(QUEUE, [job], until=until) == [job]
    assert len(scene.lease()) == 1


def test_a_lease_of_a_day_is_cut_to_twelve_hours(scene: Scene) -> None:
    """A lease longer than SQS can give is given as long as it can, and says so."""
    scene.put(0)
    [job] = scene.lease(24 * HOUR)
    assert job.lease is not None
    assert job.lease.until == scene.service.clock.now() + timedelta(hours=12)


def test_a_lease_that_is_over_is_asked_about_before_a_retry(
    scene: Scene, open_backend: Callable[..., SQSBackend]
) -> None:
    """A retry after the end of the lease makes no second message when somebody else has the job."""
    scene.put(0)
    [slow] = scene.lease()
    scene.service.clock.advance(2 * MINUTE)
    other = Scene(open_backend(), scene.service)
    [fast] = other.lease()
    assert other.backend.ack(QUEUE, [fast]) == []
    assert scene.backend.reschedule(QUEUE, [slow]) == [slow]
    assert scene.service.messages() == []


def test_retry_by_visibility_costs_one_request(
    service: Service, open_backend: Callable[..., SQSBackend]
) -> None:
    """With retry=visibility a retry is one request, and its number comes from the receive count."""
    scene = Scene(open_backend("create=1&retry=visibility"), service)
    scene.put(0)
    [job] = scene.lease()
    job.retries, job.enqueued_at = 1, service.clock.now() + timedelta(minutes=5)
    sent = scene.backend.requests
    assert scene.backend.reschedule(QUEUE, [job]) == []
    assert scene.backend.requests == sent | {"ChangeMessageVisibilityBatch": 1}
    assert scene.backend.ack(QUEUE, [job]) == [job]
    came, again = scene.first_delivery(MINUTE, HOUR)
    assert (came, again.retries) == (5 * MINUTE, 1)
