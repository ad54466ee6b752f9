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
        resolution: by how many seconds a job may come late.
    """

    due: Callable[[float], Score]
    end: Callable[[float], Score]
    resolution: float


EXACT = Scores(float, float, 0.0)
"""Microseconds: a job is never early."""

WHOLE_SECONDS = Scores(floor, ceil, 1.0)
"""What the Go library writes: its metrics cannot read anything finer.

Due times are cut as in Go, so that a job which is due now runs now; one that is delayed may come
up to a second early.
"""
