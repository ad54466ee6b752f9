"""The connections of one process to one PostgreSQL database."""

from __future__ import annotations

import os
import select
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.types.numeric import Int8BinaryDumper
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool
from work_core.errors import BackendClosed, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CHECKOUT_TIMEOUT = 30.0

# Each statement has one good plan, a walk along an index, whatever the statistics of a table that is empty
# now and full in a minute: sorting the backlog instead costs 25 ms per fetch at 30,000 jobs.
_PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


class Settings(NamedTuple):
    """How to connect.

    Attributes:
        parameters: what libpq is told: host, port, user, password, dbname and the like.
        prepare: whether statements are prepared; PgBouncer before 1.21 cannot have that.
        pool_size: how many connections are kept; as many more may come and go.
        durable_acks: whether acks and leases, too, wait for the disk.
    """

    parameters: Mapping[str, Any]
    prepare: bool
    pool_size: int
    durable_acks: bool


class Connections:
    """Two pools: one whose commits wait for the disk, and one for leases and acks, which need not.

    A lease or an ack that a crash of the server undoes is one more delivery, and waiting for the disk
    with each is most of what they cost. What is enqueued always waits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closed = False
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._durable = self._pool("on")
        self._consuming = self._durable if self._settings.durable_acks else self._pool("off")

    def _pool(self, synchronous_commit: str) -> QueuePool:
        pool = QueuePool(
            lambda: self.connect(synchronous_commit=synchronous_commit),  # type: ignore[arg-type, return-value]
            pool_size=self._settings.pool_size,
            max_overflow=self._settings.pool_size,
            timeout=_CHECKOUT_TIMEOUT,
            reset_on_return=None,
            use_lifo=True,
        )
        event.listen(pool, "checkout", _refuse_broken)
        return pool

    def connect(self, *, synchronous_commit: str, **parameters: Any) -> psycopg.Connection:
        """Open a connection of its own.

        Raises:
            psycopg.OperationalError: when the server cannot be reached or refuses.
        """
        given = {"application_name": "work", **self._settings.parameters, **parameters}
        if self._settings.prepare:  # a PgBouncer would refuse the options, or share them
            session = {**_PLANS, "synchronous_commit": synchronous_commit}
            options = " ".join(f"-c {name}={value}" for name, value in session.items())
            given["options"] = f"{given.get('options', '')} {options}"
        connection = psycopg.connect(
            **given,
            autocommit=True,
            prepare_threshold=0 if self._settings.prepare else None,
        )
        # One width for all integers is one prepared statement per text.
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        return connection

    @contextmanager
    def durable(self) -> Iterator[psycopg.Connection]:
        """Yield a connection for what must not be lost."""
        self._check()
        with _checked_out(self._durable) as connection:
            yield connection

    @contextmanager
    def consuming(self) -> Iterator[psycopg.Connection]:
        """Yield a connection for what may happen twice."""
        self._check()
        with _checked_out(self._consuming) as connection:
            yield connection

    def _check(self) -> None:
        if self._closed:
            raise BackendClosed("the connections to PostgreSQL are closed")
        if self._process != os.getpid():
            with self._lock:
                if self._process != os.getpid():
                    # Closing them here would end the parent's sessions.
                    self._durable.dispose = self._consuming.dispose = lambda: None  # type: ignore[method-assign]
                    self._inherited = (self._durable, self._consuming)
                    self._start()

    def close(self) -> None:
        """Close all connections that are not in use; those in use close when they are given back."""
        self._closed = True
        self._durable.dispose()
        self._consuming.dispose()


@contextmanager
def _checked_out(pool: QueuePool) -> Iterator[psycopg.Connection]:
    try:
        pooled = pool.connect()
    except PoolTimeout as error:
        raise BackendUnavailable(
            f"no connection was free for {_CHECKOUT_TIMEOUT:g} s; raise pool_size="
        ) from error
    connection = pooled.driver_connection
    assert isinstance(connection, psycopg.Connection)  # noqa: S101 - tells mypy what the pool holds
    try:
        yield connection
    finally:
        if connection.closed:
            pooled.invalidate()
        pooled.close()


def _refuse_broken(connection: Any, _record: object, _pooled: object) -> None:
    """Have the pool replace a connection that the server has closed while nobody used it.

    An idle connection has nothing to read unless it was ended: looking costs 2 us, a ping a round trip.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError
