"""The connections of one process to one PostgreSQL database."""

from __future__ import annotations

import select
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.types.numeric import Int8BinaryDumper

from work_sql.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

# Each statement has one good plan, a walk along an index, whatever the statistics of a table that
# is empty now and full in a minute: sorting the backlog instead costs 25 ms per fetch at 30,000
# jobs.
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

    A lease or an ack that a crash of the server undoes is one more delivery, and waiting for the
    disk with each is most of what they cost. What is enqueued always waits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._durable = self._pool("on")
        self._consuming = self._durable if settings.durable_acks else self._pool("off")

    def _pool(self, synchronous_commit: str) -> Pool[psycopg.Connection]:
        return Pool(
            partial(self.connect, synchronous_commit=synchronous_commit),
            size=self._settings.pool_size,
            ended=_ended,
            broken=lambda connection: connection.closed,
        )

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

    def durable(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection for what must not be lost."""
        return self._durable.connection()

    def consuming(self) -> AbstractContextManager[psycopg.Connection]:
        """Lend a connection for what may happen twice."""
        return self._consuming.connection()

    def close(self) -> None:
        """Close all connections."""
        self._durable.close()
        self._consuming.close()


def _ended(connection: psycopg.Connection) -> bool:
    """Tell whether there is something to read: an idle session has nothing to say but goodbye.

    Looking costs 2 us, a ping a round trip.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
