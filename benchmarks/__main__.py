"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import plan, report
from benchmarks.catalog import CATALOG
from benchmarks.environments import ROOT
from benchmarks.run import Run
from benchmarks.servers import STORES

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> int:
    options = _options()
    size = plan.QUICK if options.quick else plan.FULL
    size = replace(size, rounds=options.rounds or size.rounds, jobs=options.jobs or size.jobs)
    document = Run(size).go(options.only, options.store)
    document["command"] = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    report.write(document, options.output)
    print(report.text(document))
    return 0 if document["results"] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough picture in a few minutes")
    parser.add_argument("--rounds", type=int, help="rounds, whose medians count")
    parser.add_argument("--jobs", type=int, help="the backlog that every worker finds")
    known = {peer.module or peer.name for peer in CATALOG} | {peer.name for peer in CATALOG}
    parser.add_argument(
        "--only", type=_names(known), default=[], help=f"some of: {', '.join(sorted(known))}"
    )
    parser.add_argument(
        "--store", type=_names(set(STORES)), default=list(STORES), help=", ".join(STORES)
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of the page, plot and JSON; docs for a full run, else build/benchmarks",
    )
    options = parser.parse_args()
    partial = options.quick or options.only or options.store != list(STORES)
    options.output = options.output or ROOT / ("build/benchmarks" if partial else "docs")
    return options


def _names(known: set[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.replace("/", ",").split(",")
        unknown = sorted(set(names) - known)
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}"
            )
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
