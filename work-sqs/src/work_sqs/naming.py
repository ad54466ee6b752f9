"""Queue names: an injective map from namespace and queue id to what SQS accepts."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from work_sqs.limits import NAME

if TYPE_CHECKING:
    from work_core.job import QueueName

FIFO = ".fifo"
_SET_ASIDE = "-invalid"
_ESCAPED = re.compile(rb"[^A-Za-z0-9]")
_DIGEST = 32


def sqs_name(queue: QueueName, prefix: str = "") -> str:
    """Return the SQS name of *queue*: ``{prefix}{namespace}-{queue id}``, both escaped.

    Letters and digits stand for themselves and every other byte becomes ``_`` and two hex digits,
    so that no two queues share a name. A queue id that ends in ``.fifo`` names a FIFO queue. What
    is too long keeps its beginning and ends in a digest of the whole.
    """
    queue_id, fifo = queue.queue_id, ""
    if queue_id.endswith(FIFO):
        queue_id, fifo = queue_id.removesuffix(FIFO), FIFO
    return _fit(f"{prefix}{_escape(queue.namespace)}-{_escape(queue_id)}", fifo)


def set_aside_name(name: str) -> str:
    """Return the name of the queue that takes the undecodable messages of queue *name*.

    An escaped queue id holds no hyphen, so this is never the name of another queue.
    """
    return _fit(name.removesuffix(FIFO), _SET_ASIDE)


def _escape(text: str) -> str:
    raw = text.encode(errors="surrogateescape")
    return _ESCAPED.sub(lambda match: b"_%02x" % match[0][0], raw).decode()


def _fit(name: str, suffix: str) -> str:
    room = NAME - len(suffix)
    if len(name) > room:
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
        name = f"{name[: room - _DIGEST - 1]}-{digest}"
    return name + suffix
