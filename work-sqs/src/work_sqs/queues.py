"""Where each queue is and what it allows: looked up once, created if the URL says so."""

from __future__ import annotations

import json
import logging
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from work_core.errors import BackendError
from work_sqs.errors import QueueMissing, is_denied
from work_sqs.limits import BATCH_BYTES, RETENTION
from work_sqs.naming import FIFO, set_aside_name, sqs_name

if TYPE_CHECKING:
    from work_core.job import QueueName
    from work_sqs.client import Client
    from work_sqs.settings import Settings

logger = logging.getLogger("work.sqs")

_FEW_RECEIVES: Final = 3


class QueueInfo(NamedTuple):
    """A queue as SQS knows it.

    Attributes:
        name: what to call it in messages.
        url: its queue URL.
        fifo: whether it is a FIFO queue.
        max_bytes: its MaximumMessageSize.
        max_receives: after how many receives its redrive policy moves a message; 0 without one.
    """

    name: str
    url: str
    fifo: bool
    max_bytes: int
    max_receives: int


class Queues:
    """Find queues and remember what was found."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._lock = Lock()
        self._found: dict[QueueName, QueueInfo] = {}

    def get(self, queue: QueueName) -> QueueInfo:
        """Return where *queue* is.

        Raises:
            QueueMissing: when it does not exist and may not be created.
        """
        found = self._found.get(queue)
        if found is None:
            with self._lock:
                found = self._found.get(queue) or self._look_up(queue)
                self._found[queue] = found
        return found

    def forget(self, queue: QueueName) -> None:
        """Look *queue* up again the next time: it is gone."""
        self._found.pop(queue, None)

    def set_aside(self, info: QueueInfo) -> str:
        """Return the URL of the queue that takes the undecodable messages of *info*."""
        name = info.url.rpartition("/")[2]
        return self._find_or_create(set_aside_name(name))

    def _look_up(self, queue: QueueName) -> QueueInfo:
        name = sqs_name(queue, self._settings.prefix)
        url = self._settings.queue_urls.get(queue.queue_id) or self._find_or_create(name)
        known = f"{url.rpartition('/')[2]!r} ({queue})"
        fifo = url.endswith(FIFO)
        attributes = self._attributes(known, url)
        info = QueueInfo(
            name=known,
            url=url,
            fifo=fifo,
            max_bytes=int(attributes.get("MaximumMessageSize", BATCH_BYTES)),
            max_receives=_max_receives(attributes),
        )
        if info.max_receives:
            self._warn_of_redrive(info)
        return info

    def _find_or_create(self, name: str) -> str:
        try:
            answer = self._client.call("get_queue_url", repr(name), QueueName=name)
        except QueueMissing:
            if not self._settings.create:
                raise
            answer = self._create(name)
        return str(answer["QueueUrl"])

    def _create(self, name: str) -> dict[str, Any]:
        attributes = {"MessageRetentionPeriod": str(RETENTION)}
        if name.endswith(FIFO):
            attributes["FifoQueue"] = "true"
        return self._client.call("create_queue", repr(name), QueueName=name, Attributes=attributes)

    def _attributes(self, known: str, url: str) -> dict[str, str]:
        try:
            answer = self._client.call(
                "get_queue_attributes",
                known,
                QueueUrl=url,
                AttributeNames=["MaximumMessageSize", "RedrivePolicy"],
            )
        except BackendError as error:
            if not is_denied(error):
                raise
            logger.info("%s; going on with the limits of a new queue", error)
            return {}
        return dict(answer.get("Attributes", {}))

    def _warn_of_redrive(self, info: QueueInfo) -> None:
        in_place = info.fifo or self._settings.retry == "visibility"
        if in_place:
            logger.warning(
                "queue %s moves a job to its dead-letter queue after %d receives, and here every "
                "retry is a receive: no job gets more than %d retries; raise maxReceiveCount of "
                "the redrive policy above the retries that you allow",
                info.name,
                info.max_receives,
                info.max_receives - 1,
            )
        elif info.max_receives < _FEW_RECEIVES:
            logger.warning(
                "queue %s moves a job to its dead-letter queue after %d receives: a worker that "
                "vanishes is enough; raise maxReceiveCount of the redrive policy to %d or more "
                "(retries of a handler do not count, they are new messages)",
                info.name,
                info.max_receives,
                _FEW_RECEIVES,
            )


def _max_receives(attributes: dict[str, str]) -> int:
    policy = attributes.get("RedrivePolicy")
    return int(json.loads(policy).get("maxReceiveCount", 0)) if policy else 0
