"""What docs/sqs.md says is so."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from work_core.job import Job, QueueName, utc_now
from work_sqs.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sqs.service import Service
    from work_sqs.backend import SQSBackend

QUEUE = QueueName("shop", "mails")
ALL = {
    "ChangeMessageVisibility",
    "CreateQueue",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListQueues",
    "ReceiveMessage",
    "SendMessage",
}


@pytest.fixture(scope="module")
def page() -> str:
    """The page."""
    return (Path(__file__).parents[2] / "docs" / "sqs.md").read_text()


def test_the_policy_is_enough_and_no_more(
    page: str, service: Service, open_backend: Callable[..., SQSBackend]
) -> None:
    """With just the rights of the page a whole life of jobs works, and each right is used."""
    [policy] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    allowed = {action.partition(":")[2] for action in json.loads(policy)["Statement"][0]["Action"]}
    for action in ALL - allowed:
        service.denied |= {action, f"{action}Batch"}
    service.create("shop-mails")
    service.create("shop-mails-invalid")
    backend = open_backend("wait=1")

    backend.enqueue(QUEUE, [Job(id=name) for name in "abc"])
    service.messages()[2].body = "no job"
    first, second = backend.dequeue(QUEUE, 10, at=utc_now(), lease=60, wait=1)
    assert backend.extend(QUEUE, [first, second], until=utc_now() + timedelta(minutes=5)) == []
    assert backend.reschedule(QUEUE, [first]) == []
    assert backend.ack(QUEUE, [second]) == []
    backend.metrics(QUEUE, at=utc_now())

    assert {operation.removesuffix("Batch") for operation in service.requests} == allowed


def test_every_option_is_described(page: str) -> None:
    """Each option that a URL takes has a row in the table."""
    options = {
        field.name
        for field in fields(Settings)
        if field.name not in {"region", "access_key", "secret_key", "queue_urls"}
    }
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == options
    assert "| `queue.<id>` |" in page


def test_the_count_can_be_exported(page: str, backend: SQSBackend) -> None:
    """The collector of the page exports the requests by operation."""
    prometheus = pytest.importorskip("prometheus_client.core")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    definition = code.partition("\n\n\nREGISTRY")[0]
    names: dict[str, type] = {}
    exec(definition, names)
    backend.enqueue(QUEUE, [Job()])
    registry = prometheus.CollectorRegistry()
    registry.register(names["SQSRequests"](backend))
    assert (
        registry.get_sample_value("work_sqs_requests_total", {"operation": "SendMessageBatch"})
        == 1.0
    )
