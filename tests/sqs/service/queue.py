"""A queue of the service: messages, visibility, receipts, FIFO groups, redrive."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING, Any

from tests.sqs.service.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sqs.service.clock import Clock

TWELVE_HOURS = 43_200
_DEDUPLICATION = 300


@dataclass(eq=False)
class Message:
    """One stored message; times in seconds since 1970."""

    body: str
    sent: float
    visible_at: float
    group: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receive_count: int = 0
    first_received: float = 0.0
    last_received: float = 0.0
    handles: list[str] = field(default_factory=list)


class Queue:
    """One queue; the caller holds the clock's lock."""

    def __init__(self, name: str, attributes: dict[str, str], clock: Clock) -> None:
        self.name = name
        self.attributes = {
            "MaximumMessageSize": "1048576",
            "MessageRetentionPeriod": "345600",
            **attributes,
        }
        self.fifo = name.endswith(".fifo")
        self.messages: list[Message] = []
        self._clock = clock
        self._known: dict[str, float] = {}
        self._gone: set[str] = set()

    @property
    def max_receives(self) -> int:
        """After how many receives a message moves away; 0 for never."""
        policy = self.attributes.get("RedrivePolicy")
        return int(json.loads(policy)["maxReceiveCount"]) if policy else 0

    def send(self, body: str, delay: int, group: str, deduplication: str) -> dict[str, Any]:
        """Store a message, unless a FIFO queue knows it."""
        now = self._clock.time()
        if not self.fifo or self._known.get(deduplication, 0.0) <= now - _DEDUPLICATION:
            self._known[deduplication] = now
            self.messages.append(Message(body, now, now + delay, group))
        digest = md5(body.encode(), usedforsecurity=False).hexdigest()
        return {"MessageId": str(uuid.uuid4()), "MD5OfMessageBody": digest}

    def receive(
        self, count: int, visibility: int, *, duplicate: bool, redrive: Callable[[Message], None]
    ) -> list[dict[str, Any]]:
        """Hand out visible messages, oldest first."""
        now = self._clock.time()
        kept = now - int(self.attributes["MessageRetentionPeriod"])
        self.messages = [message for message in self.messages if message.sent > kept]
        locked = {
            message.group for message in self.messages if self.fifo and message.visible_at > now
        }
        found: list[dict[str, Any]] = []
        for message in list(self.messages):
            if len(found) == count:
                break
            if message.visible_at > now or message.group in locked:
                continue
            if self.max_receives and message.receive_count >= self.max_receives:
                self.messages.remove(message)
                redrive(message)
                continue
            found.append(self._hand_out(message, now, 0 if duplicate else visibility))
        return found

    def delete(self, handle: str) -> None:
        """Delete by the newest handle; an older one is accepted and does nothing."""
        message = self._find(handle)
        if message is not None and message.handles[-1] == handle:
            self.messages.remove(message)
            self._gone.update(message.handles)

    def hide(self, handle: str, seconds: int) -> None:
        """Change the visibility of a message that is in flight."""
        now, message = self._clock.time(), self._find(handle)
        if message is None or message.handles[-1] != handle:
            raise Refusal("InvalidParameterValue", "Message does not exist or is not available")
        if message.visible_at <= now:
            raise Refusal("MessageNotInflight", "the message is visible")
        if now - message.last_received + seconds > TWELVE_HOURS:
            raise Refusal(
                "InvalidParameterValue",
                f"Total VisibilityTimeout for the message is beyond the limit [{TWELVE_HOURS}]",
            )
        message.visible_at = now + seconds

    def counts(self) -> dict[str, str]:
        """Return the three counters."""
        now = self._clock.time()
        hidden = [message for message in self.messages if message.visible_at > now]
        delayed = sum(message.receive_count == 0 for message in hidden)
        return {
            "ApproximateNumberOfMessages": str(len(self.messages) - len(hidden)),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
            "ApproximateNumberOfMessagesNotVisible": str(len(hidden) - delayed),
        }

    def wait(self, until: float) -> None:
        """Wait for a change, for the next message to come out, or until *until* (monotonic)."""
        now = self._clock.time()
        next_visible = min(
            (message.visible_at - now for message in self.messages if message.visible_at > now),
            default=until,
        )
        self._clock.moved.wait(max(min(until - time.monotonic(), next_visible), 0.001))

    def _hand_out(self, message: Message, now: float, visibility: int) -> dict[str, Any]:
        message.receive_count += 1
        message.first_received = message.first_received or now
        message.last_received = now
        message.visible_at = now + visibility
        message.handles.append(uuid.uuid4().hex)
        return {
            "MessageId": message.id,
            "ReceiptHandle": message.handles[-1],
            "Body": message.body,
            "MD5OfBody": md5(message.body.encode(), usedforsecurity=False).hexdigest(),
            "Attributes": {
                "ApproximateReceiveCount": str(message.receive_count),
                "ApproximateFirstReceiveTimestamp": str(int(message.first_received * 1000)),
                "SentTimestamp": str(int(message.sent * 1000)),
            },
        }

    def _find(self, handle: str) -> Message | None:
        for message in self.messages:
            if handle in message.handles:
                return message
        if handle not in self._gone:
            raise Refusal("ReceiptHandleIsInvalid", f"the receipt handle {handle!r} is not valid")
        return None
