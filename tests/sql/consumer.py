"""Work a queue off, printing the id of each job when its ack is stored; end when it is empty."""

from __future__ import annotations

import sys
import time

from work_core.errors import BackendUnavailable
from work_core.job import Job, QueueName, utc_now
from work_core.plugins import open_backend

QUEUE = QueueName("crash", "queue")
LEASE = 2.0


def main(url: str) -> None:
    """Exchange until nothing is left, retrying while the store is away."""
    with open_backend(url) as backend:
        done: list[Job] = []
        while True:
            try:
                lost, jobs = backend.exchange(QUEUE, done, 10, at=utc_now(), lease=LEASE, wait=0.5)
                counts = backend.metrics(QUEUE, at=utc_now())  # type: ignore[attr-defined]
            except BackendUnavailable:
                time.sleep(0.05)
                continue
            gone = {job.id for job in lost}
            for job in done:
                if job.id not in gone:
                    sys.stdout.write(f"{job.id}\n")
            done = jobs
            if not jobs and counts.ready + counts.scheduled == 0:
                return


if __name__ == "__main__":
    main(sys.argv[1])
