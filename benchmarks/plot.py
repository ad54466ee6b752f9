"""The picture of a run: microseconds per no-op job, one bar for each library, drawn as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.catalog import LABELS
from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.summary import Row, Summary

WIDTH, LEFT, RIGHT, BAR, GAP, TITLE = 760, 190, 70, 16, 6, 34
LOWEST = 5.0
FONT = 'font-family="system-ui, sans-serif" font-size="12"'
COLOURS = {OURS: "#d9480f", "floor": "#adb5bd"}


def plot(summary: Summary, stores: Sequence[str]) -> str:
    """Return an SVG with a logarithmic axis that the panels of all *stores* share."""
    panels = {
        store: [
            (row, value) for row in summary.rows(store) if (value := summary.value(row, "noop.us"))
        ]
        for store in stores
    }
    highest = max((value for bars in panels.values() for _, value in bars), default=LOWEST * 10)
    height = sum(TITLE + len(bars) * (BAR + GAP) for bars in panels.values()) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    top = 0
    for store, bars in panels.items():
        if bars:
            lines += _panel(store, bars, top, highest)
            top += TITLE + len(bars) * (BAR + GAP)
    return "\n".join([*lines, "</svg>", ""])


def _panel(store: str, bars: list[tuple[Row, float]], top: int, highest: float) -> Iterator[str]:
    title = f"{LABELS[store]}: µs per no-op job (logarithmic, shorter is better)"
    yield _text(LEFT, top + 22, title, 'font-weight="bold"')
    for number, (row, value) in enumerate(bars):
        y = top + TITLE + number * (BAR + GAP)
        length = _length(value, highest)
        colour = COLOURS.get(row.peer, "#4c6ef5")
        yield _text(LEFT - 8, y + 12, f"{row.peer} ({row.style})", 'text-anchor="end"')
        yield f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'
        yield _text(LEFT + length + 6, y + 12, f"{value:,.0f}" if value >= 10 else f"{value:.1f}")


def _length(value: float, highest: float) -> float:
    share = math.log(max(value, LOWEST) / LOWEST) / math.log(highest / LOWEST)
    return max(2.0, share * (WIDTH - LEFT - RIGHT))


def _text(x: float, y: float, content: str, attributes: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y}" fill="#212529" {attributes}>{escape(content)}</text>'
