"""What the workers of the demo run: ``work worker examples.demo.tasks:app``."""

import hashlib
import json
import os
import re
from pathlib import Path

from work_core import App, current_job

RESULTS = Path(os.environ["DEMO_RESULTS"])

WORD = re.compile(rb"[A-Za-z_]\w*")

app = App(os.environ["DEMO_URL"], namespace="demo", plugins=[])


# The lease is short, so that what a killed worker held comes back while one watches.
@app.task(lease=3.0, concurrency=1)
def measure(path: str) -> None:
    """Hash the file *path*, count its lines and words, and note the result."""
    source = Path(path).read_bytes()
    words = WORD.findall(source)
    result = {
        "path": path,
        "sha256": hashlib.sha256(source).hexdigest(),
        "bytes": len(source),
        "lines": source.count(b"\n"),
        "words": len(words),
        "vocabulary": len(set(words)),
        "deliveries": current_job().deliveries,
    }
    note(json.dumps(result) + "\n")


def note(line: str) -> None:
    """Append *line* to this process's file in one write, which a SIGKILL cannot cut in half."""
    target = os.open(RESULTS / f"{os.getpid()}.ndjson", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(target, line.encode())
    finally:
        os.close(target)
