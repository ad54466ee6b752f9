"""What the workers of the demo run: ``work worker examples.demo.tasks:app``."""

import ast
import hashlib
import json
import os
from pathlib import Path

from work_core import App, current_job

RESULTS = Path(os.environ["DEMO_RESULTS"])

app = App(os.environ["DEMO_URL"], namespace="demo", plugins=[])


# The lease is short, so that what a killed worker held comes back while one watches.
@app.task(lease=3.0, concurrency=1)
def measure(path: str) -> None:
    """Hash the file *path*, count its lines and definitions, and note the result."""
    source = Path(path).read_bytes()
    result = {
        "path": path,
        "sha256": hashlib.sha256(source).hexdigest(),
        "bytes": len(source),
        "lines": source.count(b"\n"),
        "definitions": definitions(source),
        "deliveries": current_job().deliveries,
    }
    note(json.dumps(result) + "\n")


def definitions(source: bytes) -> int:
    """Return how many functions and classes *source* defines; some tests of Python do not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return 0
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return sum(isinstance(node, kinds) for node in ast.walk(tree))


def note(line: str) -> None:
    """Append *line* to this process's file in one write, which a SIGKILL cannot cut in half."""
    target = os.open(RESULTS / f"{os.getpid()}.ndjson", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(target, line.encode())
    finally:
        os.close(target)
