"""What a run found, as a page for people and a document for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.catalog import CATALOG, LABELS
from benchmarks.plot import plot
from benchmarks.summary import OURS, PEERS, PYTHON, Row, Summary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
NOTES = {peer.name: peer.note for peer in CATALOG if peer.note}

COMPARED = (
    ("no-op job", "noop.us", "µs"),
    ("10 ms of I/O", "io.us", "µs"),
    ("enqueue one", "enqueue.one", "µs"),
    ("enqueue 1000, each", "enqueue.bulk", "µs"),
    ("enqueue to start, idle", "idle.median", "ms"),
    ("memory of an idle worker", "idle.memory", "MB"),
)


def write(document: dict[str, Any], folder: Path) -> None:
    """Write the page, the plot and the document into *folder*, keeping what people wrote there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "benchmarks.svg").write_text(plot(Summary(document), list(document["stores"])))
    page = folder / "benchmarks.md"
    before, after = "# Benchmarks\n\n", ""
    if page.exists() and BEGIN in (old := page.read_text()):
        before, after = old.partition(BEGIN)[0], old.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{text(document)}\n{END}{after or chr(10)}")


def text(document: dict[str, Any]) -> str:
    """Return the measured part of the page."""
    summary = Summary(document)
    parts = ["\n".join(_head(document)), "![µs per no-op job](benchmarks.svg)"]
    parts += ["\n".join(_in_short(summary, store)) for store in document["stores"]]
    parts += ["\n".join(_store(summary, store, document)) for store in document["stores"]]
    parts += ["\n".join(_backlogs(summary, document))]
    parts += ["\n".join(_failures(document))]
    return "\n\n".join(part for part in parts if part)


def _head(document: dict[str, Any]) -> Iterator[str]:
    machine = document["machine"]
    yield f"Measured {document['at']} in {document['minutes']} minutes"
    yield f"with `{document['command']}`:"
    yield f"{machine['processor']}, {machine['memory']}, {machine['system']},"
    yield f"Python {machine['python']}, Node.js {machine['node']},"
    yield ", ".join(version for version in document["stores"].values() if version) + "."
    yield f"Backlogs of {document['jobs']} jobs; medians of {document['rounds']} rounds."


def _in_short(summary: Summary, store: str) -> Iterator[str]:
    if store == "memory" or not summary.rows(store):
        return
    yield f"**{LABELS[store]}, in short**\n"
    yield "| | work | fastest Python peer | ratio | fastest peer of all | ratio |"
    yield "| --- | ---: | --- | ---: | --- | ---: |"
    for label, name, unit in COMPARED:
        ours = summary.best(store, name, {OURS})
        if ours is None:
            continue
        cells = [label, f"{_number(ours[1])} {unit}"]
        for peers in (PYTHON, PEERS):
            best = summary.best(store, name, peers)
            if best is None:
                cells += ["", ""]
            else:
                cells += [f"{best[0].peer} {_number(best[1])}", f"{best[1] / ours[1]:.1f}"]
        yield f"| {' | '.join(cells)} |"


def _store(summary: Summary, store: str, document: dict[str, Any]) -> Iterator[str]:
    rows = summary.rows(store)
    if not rows:
        return
    yield f"### {LABELS[store]}\n"
    yield (
        "| | handlers | no-op, µs | ratio | 10 ms I/O, µs | ratio | enqueue one, µs | of 1000, µs "
        "| idle to start, ms: median | p99 | idle: MB | CPU % |"
    )
    yield "| --- | --- |" + " ---: |" * 10
    for row in rows:
        cells = [_name(row, document), row.style]
        for name in ("noop.us", "io.us"):
            value, ours = summary.value(row, name), summary.value(row._replace(peer=OURS), name)
            cells += [_number(value), f"{value / ours:.1f}" if value and ours else ""]
        for name in ("enqueue.one", "enqueue.bulk", "idle.median", "idle.p99", "idle.memory"):
            cells.append(_number(summary.value(row, name)))
        cpu = summary.value(row, "idle.cpu")
        cells.append("" if cpu is None else f"{cpu:.1f}")
        yield f"| {' | '.join(cells)} |"


def _name(row: Row, document: dict[str, Any]) -> str:
    name = f"**{row.peer}**" if row.peer == OURS else row.peer
    note = f" ({NOTES[row.peer]})" if row.peer in NOTES else ""
    return f"{name} {document['versions'].get(row.peer, '')}{note}"


def _backlogs(summary: Summary, document: dict[str, Any]) -> Iterator[str]:
    waiting = sorted({r["waiting"] for r in document["results"] if r["measure"] == "backlog"})
    if not waiting:
        return
    yield "### Cost against backlog\n"
    yield f"| work, µs per no-op job, waiting | {' | '.join(f'{count:,}' for count in waiting)} |"
    yield "| --- |" + " ---: |" * len(waiting)
    for store in document["stores"]:
        row = Row(OURS, store, "sync")
        values = [summary.value(row, f"backlog.{count}.us") for count in waiting]
        if any(values):
            yield f"| {LABELS[store]} | {' | '.join(map(_number, values))} |"


def _failures(document: dict[str, Any]) -> Iterator[str]:
    if document["failures"]:
        yield "### Not measured\n"
    for what, why in document["failures"].items():
        yield f"- {what}: `{why.strip().splitlines()[-1][:200]}`"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
