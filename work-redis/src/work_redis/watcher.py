"""A dequeue that waits: it keeps one link, on which the server tells it of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from work_redis.failures import FAILURES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from work_redis.client import Client
    from work_redis.link import Link
    from work_redis.scripts import Script

LONGEST_SLEEP = 3600.0
"""Seconds until a watcher that hears nothing looks again; the system cannot sleep for ever."""


class Watcher:
    """Runs a script and sleeps until its queue may have changed; a context manager for one thread.

    Args:
        wakes: the client's count of ``wake`` calls when the dequeue began, so that a wake which
            comes before the sleep is not missed.
    """

    def __init__(self, client: Client, namespace: str, wakes: int) -> None:
        self._client = client
        self._namespace = namespace
        self._wakes = wakes
        self._link: Link | None = None
        self._longest_sleep = client.poll_interval

    @property
    def woken(self) -> bool:
        """Whether somebody called ``wake`` or ``close`` since the dequeue began."""
        return self._client.wakes != self._wakes

    def run(
        self, script: Script, keys: tuple[bytes, ...], arguments: Sequence[Any]
    ) -> tuple[Any, float | None]:
        """Run *script* and return its reply and the score at which the queue then begins."""
        return self._client.attempt(lambda: self._run_once(script, keys, arguments), again=False)

    def sleep(self, seconds: float) -> None:
        """Sleep until the queue changed, somebody woke us, or *seconds* went by."""
        if self._link is None or self.woken:
            return
        try:
            self._link.wait(min(seconds, self._longest_sleep))
        except FAILURES:
            # Nothing was under way: the next run connects again or says why it cannot.
            self._drop()

    def ring(self) -> None:
        """End the sleep; for any thread."""
        link = self._link
        if link is not None and link.bell is not None:
            link.bell.ring()

    def __enter__(self) -> Self:
        self._client.watchers.add(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.watchers.discard(self)
        if exc_type is not None:
            self._drop()
        elif self._link is not None:
            self._client.give(self._link)

    def _run_once(
        self, script: Script, keys: tuple[bytes, ...], arguments: Sequence[Any]
    ) -> tuple[Any, float | None]:
        try:
            if self._link is None:
                self._link = self._client.take(self._namespace)
                pushes = self._link.watch(tracking=self._client.tracking)
                self._longest_sleep = LONGEST_SLEEP if pushes else self._client.poll_interval
            return self._link.run_and_peek(script, keys, arguments)
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
