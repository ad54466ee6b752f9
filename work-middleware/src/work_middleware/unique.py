"""Enqueue a job once per period and key."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from work_core.capabilities import OnceKeys
from work_core.codec import decode_payload, encode_payload
from work_core.errors import (
    BackendUnavailable,
    ConfigError,
    EnqueueFailed,
    InvalidArgument,
)
from work_core.hookspecs import hookimpl
from work_core.job import utc_now
from work_core.plugins import require
from work_core.retry import Decision
from work_middleware.background import Background
from work_middleware.options import flag, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from work_core.job import Job, QueueName
    from work_core.middleware import EnqueueBatch, HandleContext
    from work_core.retry import Outcome
    from work_core.worker import Worker

logger = logging.getLogger("work")

_ENDS = (Decision.ACK, Decision.DISCARD)


class _Claim(NamedTuple):
    store: OnceKeys
    namespace: str
    key: str
    owner: str

    def forget(self) -> None:
        self.store.forget(self.namespace, self.key, self.owner)


class Unique:
    """Drop a job that is enqueued again within *period* seconds, and tell the caller.

    ``enqueue`` then returns ``duplicate=True`` with the id of the job that holds the key (``"1"``
    when a Go program claimed it). Jobs are the same when their queue and payload are; with *by*,
    when these arguments are; in code, when *key* returns the same bytes, and never when it returns
    ``None``. The key is free again after *period*, when the enqueue fails, and with *release* as
    soon as the job has succeeded or was discarded. A key is not part of the caller's database
    transaction: after a rollback it stays claimed. Needs a backend, or ``stores``, that has
    ``OnceKeys``. In ``work.toml``::

        plugins = [{ name = "unique", period = 3600, by = ["user_id"], release = true }]
    """

    def __init__(
        self,
        period: float,
        by: Sequence[str] | None = None,
        release: bool = False,
        key: Callable[[Job], bytes | None] | None = None,
    ) -> None:
        self.period = seconds("period", period)
        self.release = flag("release", release)
        if by is not None and key is not None:
            raise ConfigError("give by or key, not both")
        self._key = key or (_whole_payload if by is None else _arguments(by))
        self._finished: deque[_Claim] = deque()
        self._background = Background("work-unique", self._forget_finished)

    @hookimpl
    def work_worker_started(self, worker: Worker) -> None:
        """Refuse a store without once-keys; start the thread that frees keys."""
        require(worker.stores, OnceKeys)
        if self.release:
            self._background.start()

    @hookimpl
    def work_worker_stopped(self, worker: Worker) -> None:  # noqa: ARG002 - the hook's argument
        """Free the keys that are left."""
        if self.release:
            self._background.stop()

    @hookimpl(wrapper=True)
    def work_enqueue(self, batch: EnqueueBatch) -> Generator[None, list[Job], list[Job]]:
        """Claim a key for each job, and drop those whose key is taken."""
        claims: dict[str, _Claim] = {}
        try:
            batch.jobs = self._first_ones(batch, claims)
            return (yield)
        except EnqueueFailed as error:
            for job in error.stored:
                claims.pop(job.id, None)
            _forget(claims.values())
            raise
        except BaseException:
            _forget(claims.values())
            raise

    @hookimpl
    def work_job_finished(self, job: Job, outcome: Outcome, context: HandleContext) -> None:
        """Have the key of a job that ended freed, without waiting for it."""
        if not self.release or outcome.decision not in _ENDS:
            return
        claim = self._claim(job, context.queue, require(context.stores, OnceKeys))
        if claim is not None:
            self._finished.append(claim)
            self._background.wake()

    def _first_ones(self, batch: EnqueueBatch, claims: dict[str, _Claim]) -> list[Job]:
        store: OnceKeys = require(batch.stores, OnceKeys)
        first = []
        for job in batch.jobs:
            claim = self._claim(job, batch.queue, store)
            holder = claim and store.claim(
                claim.namespace, claim.key, job.id, at=utc_now(), period=self.period
            )
            if holder:
                batch.duplicates[job.id] = holder
                continue
            if claim is not None:
                claims[job.id] = claim
            first.append(job)
        return first

    def _claim(self, job: Job, queue: QueueName, store: OnceKeys) -> _Claim | None:
        unique = self._key(job)
        if unique is None:
            return None
        # The Go library's key; the store adds the namespace and the word "unique".
        key = f"{queue.queue_id}:{hashlib.sha256(unique).hexdigest()}"
        return _Claim(store, queue.namespace, key, job.id)

    def _forget_finished(self) -> float:
        while self._finished:
            claim = self._finished.popleft()
            try:
                claim.forget()
            except BackendUnavailable:
                self._finished.append(claim)
                raise
        return 60.0


def _forget(claims: Iterable[_Claim]) -> None:
    for claim in claims:
        try:
            claim.forget()
        except Exception as error:  # noqa: BLE001 - the error that the caller waits for is another
            logger.warning("unique key %s stays claimed until it expires: %s", claim.key, error)


def _whole_payload(job: Job) -> bytes:
    return job.payload


def _arguments(names: Sequence[str]) -> Callable[[Job], bytes]:
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f'by must be a list of argument names like ["user_id"], not {names!r}')
    wanted = list(names)

    def key(job: Job) -> bytes:
        arguments = decode_payload(job.payload) if job.payload else {}
        found = arguments if isinstance(arguments, dict) else {}
        missing = [name for name in wanted if name not in found]
        if missing:
            # Taking it for absent would make jobs equal that are not, and lose all but the first.
            raise InvalidArgument(
                f"unique by {', '.join(wanted)}: the job has no argument {', '.join(missing)}; "
                f"it has {', '.join(map(str, found)) or 'none'}; pass it explicitly"
            )
        return encode_payload({name: found[name] for name in wanted})

    return key
