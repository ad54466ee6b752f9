"""Medians over the rounds of a run, and who is fastest."""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

from benchmarks.catalog import CATALOG

OURS = "work"
PYTHON = {peer.name for peer in CATALOG if not peer.is_node and not peer.is_ours}
PEERS = {peer.name for peer in CATALOG if not peer.is_ours}


class Row(NamedTuple):
    """A library with one kind of handlers on one store."""

    peer: str
    store: str
    style: str


class Summary:
    """The medians of one run's document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._values: dict[tuple[Row, str], list[float]] = {}
        for result in document["results"]:
            row = Row(result["peer"], result["store"], result["style"])
            for key, value in result.items():
                if isinstance(value, (int, float)):
                    name = f"{result['measure']}.{key}"
                    if result["measure"] == "backlog":
                        name = f"backlog.{result['waiting']}.{key}"
                    self._values.setdefault((row, name), []).append(value)

    def rows(self, store: str) -> list[Row]:
        """Return the rows of *store*, the fastest with no-ops first."""
        found = {row for row, _ in self._values if row.store == store}
        return sorted(found, key=lambda row: (self.value(row, "noop.us") or 1e9, row))

    def value(self, row: Row, name: str) -> float | None:
        """Return the median of *name*, such as ``noop.us``; ``None`` where it was not measured."""
        values = self._values.get((row, name))
        return statistics.median(values) if values else None

    def best(self, store: str, name: str, peers: set[str]) -> tuple[Row, float] | None:
        """Return the lowest value of *name* among *peers*."""
        found = [
            (row, value)
            for row in self.rows(store)
            if row.peer in peers and (value := self.value(row, name)) is not None
        ]
        return min(found, key=lambda pair: pair[1]) if found else None
