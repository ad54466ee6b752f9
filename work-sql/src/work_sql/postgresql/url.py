"""From a URL to a store on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.errors import InvalidURL
from work_core.url import yes_or_no
from work_sql.names import DEFAULT_TABLE, identifier, positive
from work_sql.postgresql.connections import Settings
from work_sql.postgresql.schema import Names
from work_sql.postgresql.store import PostgresStore

if TYPE_CHECKING:
    from work_core.url import URL

_DRIVERS = {"postgresql", "postgres", "postgresql+psycopg", "postgres+psycopg"}

_LIBPQ = (
    "host",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
    "application_name",
    "target_session_attrs",
    "options",
    "passfile",
    "service",
)
"""What is handed on to libpq as it is."""

_WHERE_THE_JOBS_ARE: dict[str, Any] | None = {}


def open_store(url: URL) -> PostgresStore:
    """Return the store for *url*; the server need not be up.

    Raises:
        InvalidURL: for another driver or an option that is unknown or malformed.
    """
    if url.scheme not in _DRIVERS:
        driver = url.scheme.partition("+")[2]
        raise InvalidURL(
            f"{url}: work-sql talks to PostgreSQL through psycopg 3, not {driver}; write "
            "postgresql://. Sessions and connections of your application may use any driver"
        )
    with url.options() as option:
        names = Names(
            schema=option("schema", identifier, "") or None,
            table=option("table", identifier, DEFAULT_TABLE),
        )
        settings = Settings(
            parameters=_address(url)
            | {name: text for name in _LIBPQ if (text := option(name, str, ""))},
            prepare=option("prepare", yes_or_no, True),
            pool_size=option("pool_size", positive, 8),
            durable_acks=option("durable_acks", yes_or_no, False),
        )
        return PostgresStore(
            settings,
            names,
            str(url),
            create=option("create", yes_or_no, True),
            listen=option("listen", _listen, _WHERE_THE_JOBS_ARE),
            vacuum=option("vacuum", yes_or_no, True),
        )


def _address(url: URL) -> dict[str, Any]:
    found = {
        "host": url.host,
        "port": url.port,
        "user": url.user,
        "password": url.password,
        "dbname": url.path[1:],
    }
    if "," in url.netloc:
        # Several hosts: libpq tries one after the other.
        hosts = [host.partition(":") for host in url.netloc.rpartition("@")[2].split(",")]
        found["host"] = ",".join(host for host, _, _ in hosts)
        found["port"] = ",".join(port or "5432" for _, _, port in hosts)
    return {name: value for name, value in found.items() if value}


def _listen(text: str) -> dict[str, Any] | None:
    """Read ``0`` (poll), ``1`` (listen where the jobs are) or the HOST:PORT that has sessions."""
    host, _, port = text.rpartition(":")
    if host and port.isdecimal():
        return {"host": host, "port": int(port)}
    return _WHERE_THE_JOBS_ARE if yes_or_no(text) else None
