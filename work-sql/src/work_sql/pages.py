"""The cursor of a page of jobs: the place of its last job, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.errors import ConfigError
from work_sql.store import Place

if TYPE_CHECKING:
    from work_sql.rows import Row


def encode_cursor(row: Row) -> str:
    """Return the cursor that stands for the place of *row*."""
    return f"{row[0]}:{row[1]}"


def decode_cursor(cursor: str) -> Place:
    """Return the place that *cursor* stands for.

    Raises:
        ConfigError: for text that ``encode_cursor`` did not make.
    """
    due, colon, identity = cursor.partition(":")
    try:
        place = Place(int(due), identity)
    except ValueError:
        place = None
    if place is None or not colon or not identity or not -(1 << 63) <= place.due < 1 << 63:
        raise ConfigError(
            f"{cursor!r} is no page cursor of this backend; pass the cursor of the page before"
        )
    return place
