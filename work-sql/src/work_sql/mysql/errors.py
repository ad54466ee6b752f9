"""What the errors of MySQL and MariaDB mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymysql.constants import ER  # type: ignore[import-untyped]

from work_core.errors import BackendError, BackendUnavailable, PayloadTooLarge, WorkError

if TYPE_CHECKING:
    import pymysql  # type: ignore[import-untyped]

_LOST = {0, 2002, 2003, 2006, 2013, 2014, 2055}
_COMES_BACK = _LOST | {
    ER.CON_COUNT_ERROR,
    ER.TOO_MANY_USER_CONNECTIONS,
    ER.SERVER_SHUTDOWN,
    ER.LOCK_WAIT_TIMEOUT,
    ER.LOCK_DEADLOCK,
    ER.DISK_FULL,
    ER.RECORD_FILE_FULL,
    ER.OPTION_PREVENTS_STATEMENT,  # read-only: the server became a replica
    1927,  # the connection was killed
}
_TOO_LARGE = {ER.NET_PACKET_TOO_LARGE, ER.DATA_TOO_LONG}
_NO_TABLE = {ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR}


def translate(error: BaseException, name: str) -> WorkError:
    """Return the ``WorkError`` that *error* means for the database *name*."""
    text = " ".join(str(error).split())
    if isinstance(error, UnicodeError):
        return BackendError(f"{name}: {text}")
    number = code_of(error)
    if number in _TOO_LARGE:
        return PayloadTooLarge(
            f"{name}: the server refuses the job: {text}; raise its max_allowed_packet"
        )
    if number in _NO_TABLE:
        return BackendError(f"{name}: {text}; run: work sql migrate")
    kind = BackendUnavailable if number in _COMES_BACK else BackendError
    return kind(f"{name}: {text}")


def may_repeat(error: pymysql.Error) -> bool:
    """Tell whether a transaction that failed with *error* did nothing and may just be run again."""
    return code_of(error) in {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}


def code_of(error: BaseException) -> int:
    """Return the number of *error*; 0 where the client itself gave up."""
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0
