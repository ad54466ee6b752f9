"""Places under one semaphore key, taken before jobs are fetched."""

from __future__ import annotations

import os
import random
import socket
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from work_core.job import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from work_core.capabilities import Semaphores
    from work_core.middleware import DequeueRequest

_PROBE = 0.2
_SHARED_WAIT = 0.5
_numbers = count(1)


@dataclass(slots=True, eq=False)
class Place:
    """One place under a key, this process's until *until*.

    Attributes:
        holder: the name under which the store knows it.
        until: when it lapses.
        lease: for how many seconds it is renewed.
        running: True while the job that it was taken for runs.
        released: True once it was given back.
        free_since: when its job ended, on the monotonic clock.
    """

    holder: str
    until: datetime
    lease: float
    running: bool = False
    released: bool = False
    free_since: float = 0.0


class Gate:
    """Take, renew and release places under one key; every method calls the store.

    While the key is full, the store is asked for places a few times a second only.
    """

    def __init__(self, semaphores: Semaphores, namespace: str, key: str, limit: int) -> None:
        self._semaphores = semaphores
        self._namespace = namespace
        self._key = key
        self._limit = limit
        self._full_until = 0.0

    def take(self, seconds: float, lease: float) -> Place | None:
        """Take a place for *seconds*, or return ``None`` when there is none."""
        if monotonic() < self._full_until:
            return None
        place = Place(_new_holder(), utc_now(), lease)
        if self.renew(place, seconds):
            return place
        self._full_until = monotonic() + _PROBE * random.uniform(0.5, 1.5)
        return None

    def renew(self, place: Place, seconds: float) -> bool:
        """Keep *place* for *seconds* from now; False when it lapsed and all are taken."""
        now = utc_now()
        until = now + timedelta(seconds=seconds)
        kept = self._semaphores.acquire(
            self._namespace, self._key, place.holder, limit=self._limit, at=now, until=until
        )
        if kept:
            place.until = until
            if place.released:  # by another thread, while this one was renewing it
                self.release(place)
        return kept

    def release(self, place: Place) -> None:
        """Give *place* back."""
        place.released = True
        self._semaphores.release(self._namespace, self._key, place.holder)


class Turns:
    """Decide how many places a fetch should ask for, when several queues may share them.

    An idle queue asks for one place only. If others share the key it waits for a job but briefly
    with that place in hand, and then leaves the place to them for as long.
    """

    def __init__(self, shared: bool) -> None:
        self._shared = shared
        self._resting: dict[object, float] = {}

    def wanted(self, request: DequeueRequest) -> int:
        """Return how many places to take; shorten the wait of *request* where it must be short."""
        if not request.idle:
            return request.limit
        if self._shared:
            now = monotonic()
            if now < self._resting.get(request.queue, 0.0):
                return 0
            request.wait = min(request.wait, _SHARED_WAIT)
            self._resting[request.queue] = (
                now + request.wait + _SHARED_WAIT * random.uniform(0.5, 1.5)
            )
        return min(request.limit, 1)


def _new_holder() -> str:
    """Return a name that is nobody else's and tells an operator who it is."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}:{next(_numbers)}"
