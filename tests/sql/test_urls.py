"""URLs: what they may say, and what a wrong one is answered."""

from __future__ import annotations

from typing import Any

import pytest

from work_core.errors import InvalidURL
from work_core.plugins import open_backend

REFUSED = {
    "sqlite://": "in memory, which no other process sees",
    "sqlite:///:memory:": "in memory, which no other process sees",
    "sqlite://jobs.db": "three slashes for a path from here",
    "sqlite:///x.db?synchronous=off": "expected normal or full",
    "sqlite:///x.db?timeout=-1": "expected seconds, more than 0",
    "sqlite:///x.db?tabel=jobs": "did you mean 'table'",
    "sqlite:///x.db?table=my-jobs": "letters, digits and underscores",
    "postgresql+psycopg2://h/d": "through psycopg 3, not psycopg2; write postgresql://",
    "postgresql+asyncpg://h/d": "through psycopg 3, not asyncpg; write postgresql://",
    "postgresql://h/d?schema=a;b": "letters, digits and underscores",
    "postgresql://h/d?pool_size=0": "expected a number, 1 or more",
    "postgresql://h/d?lisen=0": "did you mean 'listen'",
    "mysql+mysqldb://h/d": "through PyMySQL, not mysqldb; write mysql://",
    "mariadb://h": "names no database",
}


@pytest.mark.parametrize("url", REFUSED)
def test_wrong_url_is_refused_with_the_reason(url: str) -> None:
    """A wrong URL is one error when it is opened, before any connection."""
    with pytest.raises(InvalidURL, match=REFUSED[url]):
        open_backend(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret@h:5433/d?schema=jobs&table=job&pool_size=2&listen=0&vacuum=0",
        "postgresql+psycopg://u:s3cret@h/d?sslmode=require&durable_acks=1&prepare=0",
        "postgres://u:s3cret@h1:1,h2/d?target_session_attrs=read-write&listen=h3:5432",
        "mysql://u:s3cret@h/d?ssl_ca=/ca.pem&connect_timeout=3",
        "mariadb+pymysql://u:s3cret@h/d?unix_socket=/run/mysqld.sock&table=job",
    ],
)
def test_backends_open_without_a_server(url: str) -> None:
    """A right URL opens lazily, and no repr shows its password."""
    with open_backend(url) as backend:
        assert "s3cret" not in repr(backend)


def test_several_hosts_are_handed_on() -> None:
    """A list of hosts becomes libpq's."""
    backend: Any = open_backend("postgresql://u@h1:1,h2/d")
    parameters = backend._store._connections._settings.parameters

    assert (parameters["host"], parameters["port"]) == ("h1,h2", "1,5432")
