"""Semaphores and once-keys, under the keys of the Go library."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from work_core.capabilities import OnceKeys, Semaphores
from work_redis import scripts
from work_redis.keys import decode, encode, lock_key, once_key
from work_redis.store import Store

if TYPE_CHECKING:
    from datetime import datetime


class Locks(Store, Semaphores, OnceKeys):
    """Places and claims carry their end, so that time may travel; the keys expire besides."""

    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: datetime, until: datetime
    ) -> bool:
        """Take a place in Go's sorted set of holders."""
        now = self._scores.due(at.timestamp())
        end = self._scores.end(until.timestamp())
        arguments = [encode(holder), limit, now, end]
        keys = (lock_key(namespace, key),)
        return bool(self._client.run(scripts.ACQUIRE, namespace, keys, arguments, again=True))

    def release(self, namespace: str, key: str, holder: str) -> None:
        """Give a place back."""
        keys = (lock_key(namespace, key),)
        self._client.run(scripts.RELEASE, namespace, keys, [encode(holder)], again=True)

    def claim(
        self, namespace: str, key: str, owner: str, *, at: datetime, period: float
    ) -> str | None:
        """Claim Go's unique key; of a claim by a Go process only ``1`` is known."""
        now = at.timestamp()
        arguments = [encode(owner), now, now + period, max(1, ceil(period * 1000))]
        keys = (once_key(namespace, key),)
        other = self._client.run(scripts.CLAIM, namespace, keys, arguments, again=True)
        return None if other is None else decode(other)

    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Free a key that *owner* claimed."""
        keys = (once_key(namespace, key),)
        reply = self._client.run(scripts.FORGET, namespace, keys, [encode(owner)], again=True)
        return bool(reply)
