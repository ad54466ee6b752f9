"""Fixtures of the SQS tests."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.sqs.service import Service, serve
from tests.sqs.service.http import ACCESS_KEY
from work_core.url import parse_url
from work_sqs.backend import SQSBackend
from work_sqs.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def service() -> Iterator[Service]:
    """A service of the test's own, with faults and a clock to move."""
    with serve() as running:
        yield running


def service_url(service: Service, options: str = "create=1", key: str = ACCESS_KEY) -> str:
    """Return a URL for *service* with *options*."""
    endpoint = quote(service.endpoint, "")
    return f"sqs://{key}:s3cret-pass@eu-west-1/?endpoint_url={endpoint}&{options}"


def moto_url(endpoint: str) -> str:
    """Return a URL for the server at *endpoint* with queues that nobody else uses."""
    prefix = f"t{uuid.uuid4().hex[:8]}-"
    return (
        f"sqs://key:secret@eu-west-1/?endpoint_url={quote(endpoint, '')}&prefix={prefix}&create=1"
    )


@pytest.fixture
def open_backend(service: Service) -> Iterator[Callable[..., SQSBackend]]:
    """Return a function that opens a backend on the service, on its clock, with options."""
    opened: list[SQSBackend] = []

    def open_(options: str = "create=1", key: str = ACCESS_KEY) -> SQSBackend:
        settings = read_settings(parse_url(service_url(service, options, key)))
        opened.append(SQSBackend(settings, clock=service.clock.now))
        return opened[-1]

    yield open_
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(open_backend: Callable[..., SQSBackend]) -> SQSBackend:
    """A backend on the service that creates its queues."""
    return open_backend()
