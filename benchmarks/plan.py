"""What a run measures: its size, and its cases in the order of one round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.catalog import Peer


@dataclass(frozen=True)
class Size:
    """How much a run measures.

    Attributes:
        rounds: how often everything but idleness and backlogs is measured.
        jobs: the backlog that every worker finds.
        seconds: how long it may run it; a slow one is measured on what it got done.
        ones: single enqueues.
        latencies: jobs sent to an idle worker, at most.
        latency_seconds: how long that may take.
        backlogs: for ours: how many jobs wait.
        all_styles: whether peers are measured with all their kinds of handlers or with one.
    """

    rounds: int
    jobs: int
    seconds: float
    ones: int
    latencies: int
    latency_seconds: float
    backlogs: tuple[int, ...]
    all_styles: bool


FULL = Size(3, 4000, 2.0, 500, 100, 6.0, (1_000, 100_000, 1_000_000), all_styles=True)
QUICK = Size(1, 1000, 1.0, 200, 20, 2.5, (1_000, 100_000), all_styles=False)


@dataclass(frozen=True)
class Case:
    """One thing to measure: ``noop``, ``io``, ``enqueue``, ``idle`` or ``backlog``."""

    measure: str
    peer: Peer
    store: str
    style: str
    waiting: int = 0

    def __str__(self) -> str:
        words = (self.peer.name, self.store, self.style, self.measure, self.waiting or "")
        return " ".join(map(str, words)).strip()


def repeated(peers: Sequence[Peer], stores: Sequence[str], size: Size) -> list[Case]:
    """Return the cases of every round, libraries side by side."""
    return [
        Case(measure, peer, store, style)
        for store in stores
        for measure in ("noop", "io", "enqueue")
        for peer in peers
        if store in peer.stores
        for style in _styles(peer, measure, size)
    ]


def once(peers: Sequence[Peer], stores: Sequence[str], size: Size) -> Iterator[Case]:
    """Yield the cases that are measured once: idle workers, and how ours takes to backlogs."""
    for store in stores:
        for peer in peers:
            if store not in peer.stores or peer.drain_only or store == "memory":
                continue
            yield Case("idle", peer, store, peer.styles[0])
            if peer.module == "ours":
                for waiting in size.backlogs:
                    yield Case("backlog", peer, store, "sync", waiting)


def _styles(peer: Peer, measure: str, size: Size) -> Sequence[str]:
    if measure == "enqueue":
        return () if peer.drain_only else peer.styles[:1]
    if measure == "io" and peer.module == "floor":
        return ()
    return peer.styles if size.all_styles or peer.is_ours else peer.styles[:1]
