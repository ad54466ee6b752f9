"""sqs:// keeps the contract, with the deviations that SQS imposes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol
from urllib.parse import quote

import pytest

from tests.servers.process import free_port
from tests.sqs.conftest import moto_url, service_url
from work_core.plugins import open_backend as open_by_url
from work_core.testing import BackendConformance, Travel, WallTravel
from work_core.testing.conformance import Unreachable
from work_core.url import parse_url
from work_sqs.backend import SQSBackend
from work_sqs.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tests.servers.sqs import SQSServer
    from tests.sqs.service import Service
    from work_core.job import QueueName


class ServerTravel(WallTravel):
    """The clock of a server, which runs as all clocks do, and jumps with the test."""

    unit = 60.0
    margin = 0.5

    def __init__(self, clock: MovableClock) -> None:
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The server's time."""
        return self._clock.now()

    def __call__(self, seconds: float) -> datetime:
        """Move the server on."""
        self._clock.advance(seconds)
        return self.now


class MovableClock(Protocol):
    """What both servers' clocks can do."""

    def now(self) -> datetime:
        """Return the time."""

    def advance(self, seconds: float) -> None:
        """Jump ahead."""


class Conformance(BackendConformance):
    """What both servers share."""

    @pytest.fixture
    def payload_limit(self) -> int:
        """A payload of 1 MiB, which base64 makes too long."""
        return 1_048_576

    @pytest.fixture
    def poison(self, backend: SQSBackend) -> Callable[[QueueName], None]:
        """Send a body that is no job."""

        def plant(queue: QueueName) -> None:
            info = backend._line(queue).info
            backend._connection.client.call(
                "send_message", info.name, QueueUrl=info.url, MessageBody="no job"
            )

        return plant

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        """A backend whose server is down."""
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
    "test_order_holds_across_calls": "only what is received together is in order",
}


class TestOurService(Conformance):
    """On the service of the tests, whose clock travels."""

    deviations: ClassVar[Mapping[str, str]] = DEVIATIONS | {
        "test_expired_lease_can_be_extended": "SQS hides only messages that are in flight",
    }

    @pytest.fixture
    def travel(self, service: Service) -> Travel:
        """The clock of the service."""
        return ServerTravel(service.clock)

    @pytest.fixture
    def url(self, service: Service) -> str:
        """The service from another process."""
        return service_url(service)

    @pytest.fixture
    def backend(self, open_backend: Callable[..., SQSBackend]) -> SQSBackend:
        """An open backend."""
        return open_backend()

    @pytest.fixture
    def reopen(self, open_backend: Callable[..., SQSBackend]) -> Callable[..., SQSBackend]:
        """More backends on the same service."""
        return open_backend


class TestMoto(Conformance):
    """On moto, in real time."""

    deviations: ClassVar[Mapping[str, str]] = DEVIATIONS

    @pytest.fixture
    def travel(self, sqs_server: SQSServer) -> Iterator[Travel]:
        """The clock of moto; a given server's cannot be moved."""
        yield ServerTravel(sqs_server) if sqs_server.travels else WallTravel()
        sqs_server.reset()

    @pytest.fixture
    def url(self, sqs_endpoint: str) -> str:
        """Queues of the test's own."""
        return moto_url(sqs_endpoint)

    @pytest.fixture
    def reopen(self, url: str, sqs_server: SQSServer) -> Iterator[Callable[[], SQSBackend]]:
        """More backends on the same queues, with the server's clock."""
        opened: list[SQSBackend] = []

        def open_() -> SQSBackend:
            opened.append(SQSBackend(read_settings(parse_url(url)), clock=sqs_server.now))
            return opened[-1]

        yield open_
        for backend in opened:
            backend.close()

    @pytest.fixture
    def backend(self, reopen: Callable[[], SQSBackend]) -> SQSBackend:
        """An open backend."""
        return reopen()
