"""The floor under our worker: the backend object alone, and the probe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks import probe
from benchmarks.peers.ours import app, disconnect, enqueue, enqueue_many
from work_core.codec import decode_payload
from work_core.job import utc_now

if TYPE_CHECKING:
    from work_core.job import Job

__all__ = ["disconnect", "enqueue", "enqueue_many"]
BATCH = 100


def work() -> None:
    backend, queue = app.backend, app.tasks["noop"].queue_name
    done: list[Job] = []
    while True:
        done = backend.exchange(queue, done, BATCH, at=utc_now(), lease=60.0).jobs
        if not done:
            time.sleep(0.01)
        for job in done:
            probe.mark(decode_payload(job.payload)["number"])


if __name__ == "__main__":
    work()
