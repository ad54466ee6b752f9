"""What a measured process is told, through its environment."""

from __future__ import annotations

import os

STORE = os.environ["BENCH_STORE"]
URL = os.environ["BENCH_URL"]
PROBE = os.environ["BENCH_PROBE"]
STYLE = os.environ["BENCH_STYLE"]
CONCURRENCY = int(os.environ["BENCH_CONCURRENCY"])
FILLED = os.environ["BENCH_FILLED"].split()
