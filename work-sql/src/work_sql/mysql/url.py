"""From a URL to a store on MySQL or MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.errors import InvalidURL
from work_core.url import yes_or_no
from work_sql.mysql.store import MySQLStore
from work_sql.names import DEFAULT_TABLE, identifier, positive

if TYPE_CHECKING:
    from work_core.url import URL


def open_store(url: URL) -> MySQLStore:
    """Return the store for *url*; the server need not be up.

    Raises:
        InvalidURL: for another driver, a URL without a database, or an option that is unknown or
        malformed.
    """
    driver = url.scheme.partition("+")[2]
    if driver not in {"", "pymysql"}:
        raise InvalidURL(
            f"{url}: work-sql talks to MySQL and MariaDB through PyMySQL, not {driver}; write "
            f"{url.owner}://. Sessions of your application may use any driver"
        )
    if not url.path.strip("/"):
        raise InvalidURL(f"{url} names no database; write {url.owner}://HOST/DATABASE")
    with url.options() as option:
        parameters = _address(url)
        if socket := option("unix_socket", str, ""):
            parameters["unix_socket"] = socket
        if authority := option("ssl_ca", str, ""):
            parameters["ssl_ca"] = authority
        parameters["connect_timeout"] = option("connect_timeout", positive, 10)
        return MySQLStore(
            parameters,
            option("table", identifier, DEFAULT_TABLE),
            str(url),
            pool_size=option("pool_size", positive, 8),
            create=option("create", yes_or_no, True),
        )


def _address(url: URL) -> dict[str, Any]:
    found = {
        "host": url.host,
        "port": url.port,
        "user": url.user,
        "password": url.password,
        "database": url.path[1:],
    }
    return {name: value for name, value in found.items() if value}
