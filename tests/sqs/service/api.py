"""The operations of the service, with the limits that it documents."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from tests.sqs.service.faults import Fault
from tests.sqs.service.queue import Queue
from tests.sqs.service.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sqs.service.clock import Clock
    from tests.sqs.service.queue import Message

_MEGABYTE = 1_048_576
_BODY = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

Request = dict[str, Any]


class Api:
    """All queues of one account, by region and name."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.queues: dict[tuple[str, str], Queue] = {}

    def call(self, operation: str, region: str, request: Request, fault: Fault | None) -> Request:
        """Do *operation* and return its answer, or raise ``Refusal``."""
        with self.clock.moved:
            if operation == "CreateQueue":
                return self._create(region, request)
            if operation == "GetQueueUrl":
                return {"QueueUrl": self._url(self._queue(region, request["QueueName"]))}
            queue = self._queue(region, request["QueueUrl"].rpartition("/")[2])
            if operation == "ReceiveMessage":
                return self._receive(region, queue, request, duplicate=fault is Fault.DUPLICATE)
            if operation == "GetQueueAttributes":
                known = queue.attributes | queue.counts()
                return {
                    "Attributes": {n: known[n] for n in request["AttributeNames"] if n in known}
                }
            if operation == "SendMessage":
                return self._send(queue, request)
            single: Callable[[Queue, Request], Request] | None = {
                "SendMessageBatch": self._send,
                "DeleteMessageBatch": _delete,
                "ChangeMessageVisibilityBatch": _hide,
            }.get(operation)
            if single is None:
                raise Refusal("UnsupportedOperation", operation)
            return self._batch(queue, request, single, fault)

    def _create(self, region: str, request: Request) -> Request:
        name = request["QueueName"]
        if not _NAME.fullmatch(name):
            raise Refusal("InvalidParameterValue", f"{name!r} is no queue name")
        queue = Queue(name, request.get("Attributes", {}), self.clock)
        return {"QueueUrl": self._url(self.queues.setdefault((region, name), queue))}

    def _queue(self, region: str, name: str) -> Queue:
        queue = self.queues.get((region, name))
        if queue is None:
            raise Refusal("QueueDoesNotExist", "The specified queue does not exist.")
        return queue

    def _url(self, queue: Queue) -> str:
        return f"http://sqs.invalid/123456789012/{queue.name}"

    def _receive(self, region: str, queue: Queue, request: Request, *, duplicate: bool) -> Request:
        count, visibility = request["MaxNumberOfMessages"], request["VisibilityTimeout"]
        wait = request["WaitTimeSeconds"]
        if not (1 <= count <= 10 and 0 <= wait <= 20 and 0 <= visibility <= 43_200):
            raise Refusal("InvalidParameterValue", f"out of range: {request}")

        def redrive(message: Message) -> None:
            target = json.loads(queue.attributes["RedrivePolicy"])["deadLetterTargetArn"]
            self._queue(region, target.rpartition(":")[2]).messages.append(message)

        deadline = time.monotonic() + wait
        while True:
            found = queue.receive(count, visibility, duplicate=duplicate, redrive=redrive)
            if found or time.monotonic() >= deadline:
                return {"Messages": found} if found else {}
            queue.wait(deadline)

    def _send(self, queue: Queue, entry: Request) -> Request:
        body, delay = entry["MessageBody"], entry.get("DelaySeconds", 0)
        group = entry.get("MessageGroupId", "")
        deduplication = entry.get("MessageDeduplicationId", "")
        if not _BODY.fullmatch(body):
            raise Refusal("InvalidMessageContents", "the body has a character outside the set")
        if len(body.encode()) > int(queue.attributes["MaximumMessageSize"]):
            raise Refusal("InvalidParameterValue", "the message is too long")
        if not (isinstance(delay, int) and 0 <= delay <= 900):
            raise Refusal("InvalidParameterValue", f"DelaySeconds {delay} is invalid")
        if queue.fifo and ("DelaySeconds" in entry or not group or not deduplication):
            raise Refusal("InvalidParameterValue", "not valid for a FIFO queue")
        answer = queue.send(body, delay, group, deduplication)
        self.clock.moved.notify_all()
        return answer

    def _batch(
        self,
        queue: Queue,
        request: Request,
        single: Callable[[Queue, Request], Request],
        fault: Fault | None,
    ) -> Request:
        entries = request["Entries"]
        _check_batch(entries)
        answer: dict[str, list[Request]] = {"Successful": [], "Failed": []}
        for position, entry in enumerate(entries):
            try:
                _fail_first(position, fault)
                answer["Successful"].append({"Id": entry["Id"], **single(queue, entry)})
            except Refusal as refusal:
                answer["Failed"].append(
                    {
                        "Id": entry["Id"],
                        "Code": refusal.code,
                        "Message": refusal.message,
                        "SenderFault": fault is not Fault.ENTRY_SERVICE,
                    }
                )
        self.clock.moved.notify_all()
        return dict(answer)


def _fail_first(position: int, fault: Fault | None) -> None:
    if position == 0 and fault in {Fault.ENTRY_SENDER, Fault.ENTRY_SERVICE}:
        raise Refusal("InternalError", "injected")


def _delete(queue: Queue, entry: Request) -> Request:
    queue.delete(entry["ReceiptHandle"])
    return {}


def _hide(queue: Queue, entry: Request) -> Request:
    queue.hide(entry["ReceiptHandle"], entry["VisibilityTimeout"])
    return {}


def _check_batch(entries: list[Request]) -> None:
    ids = [entry["Id"] for entry in entries]
    if not entries:
        raise Refusal("EmptyBatchRequest", "there are no entries")
    if len(entries) > 10:
        raise Refusal("TooManyEntriesInBatchRequest", f"{len(entries)} entries")
    if len(set(ids)) < len(ids):
        raise Refusal("BatchEntryIdsNotDistinct", str(ids))
    if not all(_ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        raise Refusal("InvalidBatchEntryId", str(ids))
    if sum(len(entry.get("MessageBody", "").encode()) for entry in entries) > _MEGABYTE:
        raise Refusal("BatchRequestTooLong", "the batch is longer than 1048576 bytes")
