"""The options that all dialects share, and the names of the tables."""

from __future__ import annotations

import re

from work_core.errors import InvalidURL

DEFAULT_TABLE = "work_job"

TABLE_SUFFIXES = ("", "_semaphore", "_slot", "_once", "_meta")
"""What is appended to the name of the job table for each of the tables."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")


def identifier(text: str) -> str:
    """Return *text* if it can name a table or schema without quoting.

    Raises:
        InvalidURL: when it is longer than 48 characters or has others than letters, digits and
        ``_``.
    """
    if not _IDENTIFIER.fullmatch(text):
        raise InvalidURL("expected at most 48 letters, digits and underscores, no digit first")
    return text


def positive(text: str) -> int:
    """Return *text* as a number of at least 1.

    Raises:
        ValueError: when it is none.
    """
    number = int(text)
    if number < 1:
        raise ValueError("expected a number, 1 or more")
    return number
