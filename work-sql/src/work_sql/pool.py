"""A pool of connections to a server, for any thread and across a fork."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from work_core.errors import BackendClosed, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Connection = TypeVar("Connection")

_CHECKOUT_TIMEOUT = 30.0


class Pool(Generic[Connection]):
    """SQLAlchemy's pool, without a transaction around each use.

    Args:
        connect: opens a connection in autocommit mode.
        size: how many connections are kept; as many more may come and go.
        ended: tells cheaply whether the server has closed a connection while nobody used it.
        broken: tells whether a connection must not be used again after an error.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        size: int,
        ended: Callable[[Connection], bool],
        broken: Callable[[Connection], bool],
    ) -> None:
        self._connect = connect
        self._size = size
        self._ended = ended
        self._broken = broken
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._of_parents: list[QueuePool] = []
        self._start()

    def _start(self) -> None:
        self._pool = QueuePool(
            self._connect,  # type: ignore[arg-type]
            pool_size=self._size,
            max_overflow=self._size,
            timeout=_CHECKOUT_TIMEOUT,
            reset_on_return=None,
            use_lifo=True,
        )
        event.listen(self._pool, "checkout", self._refuse_ended)
        self._process = os.getpid()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a connection.

        Raises:
            BackendClosed: after ``close``.
            BackendUnavailable: when all connections have been in use for too long.
        """
        if self._closed.is_set():
            raise BackendClosed("the connections to the database are closed")
        if self._process != os.getpid():
            self._leave_to_parent()
        try:
            pooled = self._pool.connect()
        except PoolTimeout as error:
            raise BackendUnavailable(
                f"no connection was free for {_CHECKOUT_TIMEOUT:g} s; raise pool_size="
            ) from error
        connection: Any = pooled.driver_connection
        try:
            yield connection
        finally:
            if self._closed.is_set() or self._broken(connection):
                pooled.invalidate()  # a pool that was closed would keep it
            pooled.close()

    def close(self) -> None:
        """Close all idle connections; those in use close when they are given back."""
        self._closed.set()
        if self._process == os.getpid():
            self._pool.dispose()

    def _refuse_ended(self, connection: Any, _record: object, _pooled: object) -> None:
        if self._ended(connection):
            raise DisconnectionError

    def _leave_to_parent(self) -> None:
        with self._lock:
            if self._process != os.getpid():
                # To close them here would end the parent's sessions: they stay referenced.
                self._of_parents.append(self._pool)
                self._start()
