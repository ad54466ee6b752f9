"""Batch requests, and their failures sorted into those to send again and the others.

SQS answers a batch with HTTP 200 and a list of failures. A failure that is the sender's fault stays
one; any other is worth another try.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from work_core.errors import BackendError
from work_sqs.errors import plain_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_sqs.client import Client

ATTEMPTS: Final = 5
_FIRST_PAUSE: Final = 0.1


class Failure(NamedTuple):
    """Why an entry of a batch failed.

    Attributes:
        code: the service's code, without prefix.
        reason: its message, for people.
        permanent: whether another try is no use.
    """

    code: str
    reason: str
    permanent: bool


def send_batch(
    client: Client, operation: str, queue: str, url: str, entries: Sequence[dict[str, Any]]
) -> dict[int, Failure]:
    """Send at most ten *entries* and return the failures by their position.

    Entries that failed without fault of the sender are sent again, up to five times in all.

    Raises:
        WorkError: when the first request failed as a whole; nothing is known to be done then.
    """
    failures: dict[int, Failure] = {}
    todo = list(range(len(entries)))
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0.5, 1.0) * _FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            answer = client.call(
                operation, queue, QueueUrl=url, Entries=[{"Id": str(n), **entries[n]} for n in todo]
            )
        except BackendError as error:
            if not attempt:
                raise
            return failures | dict.fromkeys(todo, Failure("", str(error), permanent=False))
        failed = {int(entry["Id"]): _failure(entry) for entry in answer.get("Failed", ())}
        failures |= {n: failure for n, failure in failed.items() if failure.permanent}
        todo = [n for n, failure in failed.items() if not failure.permanent]
        if not todo:
            return failures
    return failures | {n: failed[n] for n in todo}


def _failure(entry: dict[str, Any]) -> Failure:
    code = plain_code(str(entry.get("Code", "")))
    reason = f"{entry.get('Message', '')} ({code})".strip()
    return Failure(code, reason, permanent=bool(entry.get("SenderFault")))
