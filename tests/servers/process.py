"""Server processes for the tests: free ports, start, readiness, stop by pid."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

START_TIMEOUT = 60.0


def free_port() -> int:
    """Ask the system for a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on *port* of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def missing_server(reason: str) -> NoReturn:
    """Skip with *reason* on a person's machine; fail in CI, where every server must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (a missing server is a failure in CI)")
    pytest.skip(reason)


def wait_until(condition: Callable[[], bool], what: str, timeout: float = START_TIMEOUT) -> None:
    """Return as soon as *condition* holds; fail with *what* was awaited after *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.01)


@contextmanager
def running(
    command: Sequence[str], log: Path, ready: Callable[[], bool], **options: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* until the block ends; a failed start shows the end of its *log*."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                pytest.fail(f"{command[0]} did not start (exit {process.poll()}):\n{tail}")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
