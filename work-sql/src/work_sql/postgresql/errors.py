"""What the errors of psycopg mean."""

from __future__ import annotations

import psycopg

from work_core.errors import BackendError, BackendUnavailable, PayloadTooLarge, WorkError

# Classes of SQLSTATE: connection exception, resources (a full disk, too many connections), operator
# intervention (a restart), system error.
_COMES_BACK = ("08", "53", "57", "58")
_READ_ONLY = "25006"  # the server became a standby
_UNDECIDED = {"40001", "40P01"}  # serialization failure, deadlock: nothing has happened
_STALE_PLAN = {"0A000", "26000"}  # a migration has changed the table; the statement is not prepared
_TOO_LARGE = {"54000"}
_NO_TABLE = {"42P01", "3F000", "42703"}
_NO_RIGHT = "42501"


def translate(error: BaseException, name: str) -> WorkError:
    """Return the ``WorkError`` that *error* means for the database *name*."""
    state = getattr(error, "sqlstate", None)
    text = " ".join(str(error).split())
    if state in _TOO_LARGE:
        return PayloadTooLarge(f"{name}: PostgreSQL cannot hold the job: {text}")
    if state in _NO_TABLE:
        return BackendError(f"{name}: {text}; run: work sql migrate")
    if state == _NO_RIGHT:
        return BackendError(f"{name}: {text}; grant the role what it needs on work's tables")
    if _may_come_back(error, state):
        return BackendUnavailable(f"{name}: {text}")
    return BackendError(f"{name}: {text}")


def may_repeat(error: psycopg.Error) -> bool:
    """Tell whether a transaction that failed with *error* did nothing and may just be run again."""
    return error.sqlstate in _UNDECIDED or error.sqlstate in _STALE_PLAN


def _may_come_back(error: BaseException, state: str | None) -> bool:
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state.startswith(_COMES_BACK) or state == _READ_ONLY or state in _UNDECIDED
