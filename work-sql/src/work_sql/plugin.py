"""What ``work`` finds by entry point: the backends for SQL URLs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from work_core.errors import InvalidURL, PluginError
from work_core.hookspecs import hookimpl
from work_core.url import parse_url
from work_sql.names import DEFAULT_TABLE, identifier

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.url import URL
    from work_sql.store import Store


@hookimpl
def work_open_backend(url: str) -> Backend | None:
    """Open the backend for *url*; its driver is imported here and not before."""
    from work_sql.backend import SQLBackend

    return SQLBackend(open_store(url), str(parse_url(url)))


@hookimpl
def work_backend_class(scheme: str) -> type[Backend] | None:
    """Return the one class that serves all dialects."""
    from work_sql.backend import SQLBackend

    return SQLBackend if scheme in _OPENERS else None


def open_store(url: str) -> Store:
    """Return the store that *url* names.

    Raises:
        InvalidURL: when it names none of SQL, or has a part that is wrong.
    """
    parsed = parse_url(url)
    opener = _OPENERS.get(parsed.owner)
    if opener is None:
        raise InvalidURL(f"{parsed} is no SQL backend; work-sql knows {', '.join(_OPENERS)}")
    return opener(parsed)


def _open_sqlite(url: URL) -> Store:
    from work_sql.sqlite.store import SQLiteStore

    if url.netloc:
        raise InvalidURL(
            f"{url} has a host: use three slashes for a path from here (sqlite:///jobs.db), "
            "four for one from the root (sqlite:////var/lib/jobs.db)"
        )
    if url.path in {"", "/", "/:memory:"}:
        raise InvalidURL(
            f"{url} would be a database in memory, which no other process sees: the jobs would "
            "never reach a worker, and end with this process; give a file (sqlite:///jobs.db), "
            "or memory:// for tests"
        )
    with url.options() as option:
        table = option("table", identifier, DEFAULT_TABLE)
        synchronous = option("synchronous", _synchronous, "normal")
        timeout = option("timeout", _seconds, 5.0)
    path = str(Path(url.path[1:]).absolute())
    return SQLiteStore(path, table=table, synchronous=synchronous, timeout=timeout)


def _synchronous(text: str) -> str:
    if text not in {"normal", "full"}:
        raise ValueError("expected normal or full (every commit survives a power loss)")
    return text


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError("expected seconds, more than 0")
    return seconds


def _open_postgresql(url: URL) -> Store:
    try:
        from work_sql.postgresql.url import open_store
    except ModuleNotFoundError as error:
        raise PluginError(
            f"{url.scheme} needs psycopg ({error}); try: pip install 'work-sql[postgresql]'"
        ) from error

    return open_store(url)


def _open_mysql(url: URL) -> Store:
    try:
        from work_sql.mysql.url import open_store
    except ModuleNotFoundError as error:
        raise PluginError(
            f"{url.scheme} needs PyMySQL ({error}); try: pip install 'work-sql[mysql]'"
        ) from error

    return open_store(url)


_OPENERS = {
    "sqlite": _open_sqlite,
    "postgresql": _open_postgresql,
    "postgres": _open_postgresql,
    "mysql": _open_mysql,
    "mariadb": _open_mysql,
}
