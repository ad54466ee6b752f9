"""How times become scores of the sorted sets."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

Score = int | float


class Scores(NamedTuple):
    """Turn seconds since the epoch into scores.

    Attributes:
        due: for the time at which a job is due, and for now.
        end: for the time at which a lease or a place ends: never before it.
    """

    due: Callable[[float], Score]
    end: Callable[[float], Score]


EXACT = Scores(float, float)
"""Microseconds: a job is never early."""

WHOLE_SECONDS = Scores(floor, ceil)
"""What the Go library writes; its metrics cannot read anything finer. Due times are cut as in Go."""
