"""Keys in order of time, cheap to change and to count with a million of them waiting."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from datetime import datetime
from operator import itemgetter

Key = tuple[datetime, str]
"""A time and an id: equal times are ordered by id."""

# A list of 1,000 shifts in well under a microsecond; a million keys make a thousand blocks.
_BLOCK = 1000
_time = itemgetter(0)


class Timeline:
    """Keys kept sorted in blocks of bounded size; each key stands once."""

    __slots__ = ("_blocks", "_lasts")

    def __init__(self) -> None:
        self._blocks: list[list[Key]] = []
        self._lasts: list[Key] = []

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def add(self, key: Key) -> None:
        """Put *key* in its place."""
        if not self._blocks:
            self._blocks.append([key])
            self._lasts.append(key)
            return
        index = min(bisect_left(self._lasts, key), len(self._lasts) - 1)
        block = self._blocks[index]
        insort(block, key)
        self._lasts[index] = block[-1]
        if len(block) > _BLOCK:
            self._split(index)

    def remove(self, key: Key) -> None:
        """Take *key* out, which must be there."""
        index = bisect_left(self._lasts, key)
        block = self._blocks[index]
        del block[bisect_left(block, key)]
        self._trim(index)

    def first(self) -> Key | None:
        """Return the earliest key."""
        return self._blocks[0][0] if self._blocks else None

    def take(self, limit: int, until: datetime) -> list[Key]:
        """Take out and return the first *limit* keys whose time is not after *until*."""
        taken: list[Key] = []
        while self._blocks and len(taken) < limit:
            block = self._blocks[0]
            due = bisect_right(block, until, hi=min(len(block), limit - len(taken)), key=_time)
            taken += block[:due]
            del block[:due]
            if block:
                break
            self._trim(0)
        return taken

    def count(self, until: datetime) -> int:
        """Return how many keys have a time not after *until*."""
        index = bisect_right(self._lasts, until, key=_time)
        before = sum(map(len, self._blocks[:index]))
        if index == len(self._blocks):
            return before
        return before + bisect_right(self._blocks[index], until, key=_time)

    def after(self, key: Key | None, limit: int) -> list[Key]:
        """Return the first *limit* keys behind *key*, which need not be there."""
        index = bisect_right(self._lasts, key) if key else 0
        found: list[Key] = []
        for block in self._blocks[index:]:
            start = bisect_right(block, key) if key else 0
            found += block[start : start + limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def _split(self, index: int) -> None:
        block = self._blocks[index]
        # Mostly keys are added at the end: leaving full blocks behind there halves their number.
        middle = _BLOCK if index == len(self._blocks) - 1 else _BLOCK // 2
        self._blocks.insert(index + 1, block[middle:])
        self._lasts.insert(index + 1, block[-1])
        del block[middle:]
        self._lasts[index] = block[-1]

    def _trim(self, index: int) -> None:
        block = self._blocks[index]
        if block:
            self._lasts[index] = block[-1]
        else:
            del self._blocks[index], self._lasts[index]
