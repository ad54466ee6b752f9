"""sqs:// keeps the contract, with the deviations that SQS imposes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

import pytest

from tests.servers.process import free_port
from tests.sqs.conftest import service_url
from work_core.plugins import open_backend as open_by_url
from work_core.testing import BackendConformance, Travel, WallTravel
from work_core.testing.conformance import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tests.sqs.service import Service
    from work_core.backend import Backend
    from work_core.job import QueueName
    from work_sqs.backend import SQSBackend


class ServiceTravel(WallTravel):
    """The clock of our own service, which runs as all clocks do, and jumps with the test."""

    unit = 60.0
    margin = 0.5

    def __init__(self, service: Service) -> None:
        self._clock = service.clock

    @property
    def now(self) -> datetime:
        """The service's time."""
        return self._clock.now()

    def __call__(self, seconds: float) -> datetime:
        """Move the service on."""
        self._clock.advance(seconds)
        return self.now


class Conformance(BackendConformance):
    """What both servers share."""

    @pytest.fixture
    def payload_limit(self) -> int:
        return 1_048_576

    @pytest.fixture
    def poison(self, backend: SQSBackend) -> Callable[[QueueName], None]:
        def plant(queue: QueueName) -> None:
            info = backend._line(queue).info
            backend._connection.client.call(
                "send_message", info.name, QueueUrl=info.url, MessageBody="no job"
            )

        return plant

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        endpoint = quote(f"http://127.0.0.1:{free_port()}", "")
        with open_by_url(f"sqs://key:s3cret-pass@eu-west-1/?endpoint_url={endpoint}") as backend:
            yield Unreachable(backend, "s3cret-pass")


NO_LOOK_UP = "SQS cannot look a message up by its job's id, so a waiting job is not replaced"
DEVIATIONS = {
    "test_enqueue_replaces_by_id": NO_LOOK_UP,
    "test_replacing_moves_the_due_time_back": NO_LOOK_UP,
    "test_replacing_moves_the_due_time_forward": NO_LOOK_UP,
    "test_replaced_job_counts_once": NO_LOOK_UP,
    "test_latency_is_the_age_of_the_oldest": "only CloudWatch knows the age of a message",
    "test_order_holds_across_calls": "SQS knows no order of due times, only what was received has one",
}


class TestOurService(Conformance):
    """On the service of the tests, whose clock travels."""

    deviations: ClassVar[Mapping[str, str]] = DEVIATIONS | {
        "test_expired_lease_can_be_extended": "SQS hides only messages that are in flight",
    }

    @pytest.fixture
    def travel(self, service: Service) -> Travel:
        return ServiceTravel(service)

    @pytest.fixture
    def url(self, service: Service) -> str:
        return service_url(service)

    @pytest.fixture
    def backend(self, open_backend: Callable[..., SQSBackend]) -> SQSBackend:
        return open_backend()

    @pytest.fixture
    def reopen(self, open_backend: Callable[..., SQSBackend]) -> Callable[..., SQSBackend]:
        return open_backend


class TestMoto(Conformance):
    """On moto, in real time."""

    deviations: ClassVar[Mapping[str, str]] = DEVIATIONS

    @pytest.fixture
    def travel(self) -> Travel:
        return WallTravel()

    @pytest.fixture
    def url(self, sqs_endpoint: str) -> str:
        endpoint, prefix = quote(sqs_endpoint, ""), uuid.uuid4().hex[:8]
        return f"sqs://key:secret@eu-west-1/?endpoint_url={endpoint}&prefix={prefix}&create=1"

    @pytest.fixture
    def backend(self, url: str) -> Iterator[Backend]:
        with open_by_url(url) as backend:
            yield backend
