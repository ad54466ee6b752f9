"""Receive messages, by long polls in threads of their own.

An HTTP request that waits cannot be taken back. A caller that has waited long enough, or is woken,
leaves its poll behind for the next one, so that there are never more polls than callers; what a
poll brings after the end is given back at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from work_core.errors import WorkError
from work_sqs.leases import Receipt
from work_sqs.limits import BATCH

if TYPE_CHECKING:
    from work_sqs.connection import Connection
    from work_sqs.queues import QueueInfo

logger = logging.getLogger("work.sqs")

_ATTRIBUTES: Final = [
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SentTimestamp",
]
_WAVE: Final = 4
"""Requests at a time once a queue has proved deep: at its end at most three come back empty."""


class Message(NamedTuple):
    """A received message, with the times of the service."""

    id: str
    body: str
    receipt: Receipt
    receive_count: int
    sent: datetime
    first_received: datetime


class Inbox:
    """The messages of one queue on their way to whoever asks for them."""

    def __init__(self, connection: Connection, info: QueueInfo) -> None:
        self._connection = connection
        self._info = info
        self._changed = threading.Condition()
        self._late: deque[Message] = deque()
        self._error: Exception | None = None
        self._waiting = 0
        self._polling = 0
        self._closed = False
        self.wakes = 0

    def take(
        self, limit: int, visibility: int, *, deadline: float, poll: float, wakes: int
    ) -> list[Message]:
        """Return at most *limit* messages as soon as there is one, hidden for *visibility* seconds.

        Waits until *deadline* on the monotonic clock, or until ``wakes`` has another value. A poll
        begun for a call that has *poll* seconds outlives it: an idle queue costs one request per
        ``wait`` of the URL, however often it is asked.
        """
        messages = self._take_late(limit, visibility)
        if not messages and deadline <= time.monotonic():
            messages = self.receive(min(limit, BATCH), 0, visibility)
        elif not messages:
            messages = self._wait(limit, visibility, deadline, poll, wakes)
        if len(messages) == BATCH and limit > BATCH:
            messages += self._take_more(limit - BATCH, visibility)
        return messages

    def receive(self, count: int, seconds: int, visibility: int) -> list[Message]:
        """Receive at most *count* messages in one request that waits for *seconds*."""
        answer = self._connection.client.call(
            "receive_message",
            self._info.name,
            QueueUrl=self._info.url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=seconds,
            VisibilityTimeout=visibility,
            MessageSystemAttributeNames=_ATTRIBUTES,
        )
        received = self._connection.clock()
        expires = received + timedelta(seconds=visibility)
        return [
            _message(found, Receipt(self._info.url, found["ReceiptHandle"], received, expires))
            for found in answer.get("Messages", ())
        ]

    def wake(self) -> None:
        """Make every waiting ``take`` return."""
        with self._changed:
            self.wakes += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End the waiting, and give back what nobody took."""
        with self._changed:
            self._closed = True
            late = list(self._late)
            self._late.clear()
            self._changed.notify_all()
        self._give_back(late)

    def _take_late(self, limit: int, visibility: int) -> list[Message]:
        with self._changed:
            messages = self._pop(limit)
        now = self._connection.clock()
        enough = timedelta(seconds=visibility / 2)
        alive = [message for message in messages if message.receipt.expires > now]
        short = [message.receipt for message in alive if message.receipt.expires - now < enough]
        if not short:
            return alive
        refused = self._connection.change_visibility(
            self._info, [(receipt, visibility) for receipt in short]
        )
        for receipt in short:
            receipt.expires = now + timedelta(seconds=visibility)
        return [message for message in alive if message.receipt not in refused]

    def _take_more(self, limit: int, visibility: int) -> list[Message]:
        messages: list[Message] = []
        counts = [BATCH] * (limit // BATCH) + ([limit % BATCH] if limit % BATCH else [])
        width = 1 if self._info.fifo else _WAVE
        for start in range(0, len(counts), width):
            wave = counts[start : start + width]
            for found in self._connection.map(
                lambda count: self._receive_if_possible(count, visibility), wave
            ):
                messages += found
            if len(messages) < sum(counts[: start + width]):
                break
        return messages

    def _receive_if_possible(self, count: int, visibility: int) -> list[Message]:
        try:
            return self.receive(count, 0, visibility)
        except WorkError as error:
            # The messages at hand must not be lost for those that could not be had.
            logger.info("received less than was asked for: %s", error)
            return []

    def _wait(
        self, limit: int, visibility: int, deadline: float, poll: float, wakes: int
    ) -> list[Message]:
        with self._changed:
            self._waiting += 1
            try:
                while not self._late:
                    self._raise_error()
                    remaining = deadline - time.monotonic()
                    if remaining <= 0 or wakes != self.wakes or self._closed:
                        return []
                    if self._polling < self._waiting:
                        self._start_poll(min(limit, BATCH), poll, visibility)
                    self._changed.wait(remaining)
                return self._pop(limit)
            finally:
                self._waiting -= 1

    def _pop(self, limit: int) -> list[Message]:
        return [self._late.popleft() for _ in range(min(limit, len(self._late)))]

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _start_poll(self, count: int, seconds: float, visibility: int) -> None:
        self._polling += 1
        # A caller with less than a second is no worker: its poll should not linger.
        wait = self._connection.settings.wait if seconds >= 1 else 1
        threading.Thread(
            target=self._poll, args=(count, wait, visibility), name="work-sqs-poll", daemon=True
        ).start()

    def _poll(self, count: int, seconds: int, visibility: int) -> None:
        messages: list[Message] = []
        error: Exception | None = None
        try:
            messages = self.receive(count, seconds, visibility)
        except Exception as failure:  # noqa: BLE001 - whoever waits raises it
            error = failure
        with self._changed:
            self._polling -= 1
            closed = self._closed
            if not closed:
                self._late.extend(messages)
                self._error = error if self._waiting else None
            self._changed.notify_all()
        if closed:
            self._give_back(messages)

    def _give_back(self, messages: list[Message]) -> None:
        try:
            self._connection.change_visibility(
                self._info, [(message.receipt, 0) for message in messages]
            )
        except WorkError as error:
            logger.warning(
                "%d messages of queue %s come back only when their lease ends: %s",
                len(messages),
                self._info.name,
                error,
            )


def _message(found: dict[str, Any], receipt: Receipt) -> Message:
    attributes = found["Attributes"]
    return Message(
        id=found["MessageId"],
        body=found["Body"],
        receipt=receipt,
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent=_time(attributes["SentTimestamp"]),
        first_received=_time(attributes["ApproximateFirstReceiveTimestamp"]),
    )


def _time(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
