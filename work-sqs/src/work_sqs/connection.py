"""What one process holds to talk to SQS: the client, the known queues, threads for large calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from work_sqs.batches import Failure, send_batch
from work_sqs.client import Client
from work_sqs.leases import Receipt, State
from work_sqs.limits import BATCH
from work_sqs.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from work_sqs.queues import QueueInfo
    from work_sqs.settings import Settings

T = TypeVar("T")
R = TypeVar("R")

THREADS: Final = 8
"""At 12 ms a request, 8 threads send 1,000 jobs in 220 ms, 1 in 1,500 ms and 32 in 157 ms."""


class Connection:
    """Everything that a child process must not inherit."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.settings: Final = settings
        self.clock: Final = clock
        self.client: Final = Client(settings)
        self.queues: Final = Queues(self.client, settings)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="work-sqs")

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterable[R]:
        """Return the results of *function* in order, in parallel when there are several *items*."""
        if len(items) == 1:
            return [function(items[0])]
        return self._pool.map(function, items)

    def change_visibility(
        self, info: QueueInfo, changes: Sequence[tuple[Receipt, int]]
    ) -> dict[Receipt, Failure]:
        """Hide each message for so many seconds from now, and return those that could not be."""

        def change(part: Sequence[tuple[Receipt, int]]) -> dict[Receipt, Failure]:
            entries: list[dict[str, Any]] = [
                {"ReceiptHandle": receipt.handle, "VisibilityTimeout": seconds}
                for receipt, seconds in part
            ]
            failures = send_batch(
                self.client, "change_message_visibility_batch", info.name, info.url, entries
            )
            return {part[n][0]: failure for n, failure in failures.items()}

        return self._by_tens(change, changes)

    def delete(self, info: QueueInfo, receipts: Sequence[Receipt]) -> dict[Receipt, Failure]:
        """Delete the messages and return those that could not be; the others are gone."""

        def delete(part: Sequence[Receipt]) -> dict[Receipt, Failure]:
            entries: list[dict[str, Any]] = [{"ReceiptHandle": receipt.handle} for receipt in part]
            failures = send_batch(self.client, "delete_message_batch", info.name, info.url, entries)
            failed = {part[n]: failure for n, failure in failures.items()}
            for receipt in part:
                if receipt not in failed:
                    receipt.state = State.GONE
            return failed

        return self._by_tens(delete, receipts)

    def close(self) -> None:
        """Finish what runs and close the connections."""
        self._pool.shutdown()
        self.client.close()

    def _by_tens(
        self, function: Callable[[Sequence[T]], dict[Receipt, Failure]], items: Sequence[T]
    ) -> dict[Receipt, Failure]:
        parts = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        failures: dict[Receipt, Failure] = {}
        for found in self.map(function, parts) if parts else ():
            failures |= found
        return failures
