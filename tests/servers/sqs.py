"""Fixtures of the SQS test server: moto in a process of its own, on a socket.

Run as a module it is that server: ``python -m tests.servers.sqs PORT``.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.servers.process import accepts_connections, free_port, missing_server, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sqs_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an SQS server: ``WORK_TEST_SQS_ENDPOINT``, or a moto server."""
    given = os.environ.get("WORK_TEST_SQS_ENDPOINT")
    if given:
        yield given
        return
    if importlib.util.find_spec("moto") is None:
        missing_server("no SQS server: install moto[server] or set WORK_TEST_SQS_ENDPOINT")
    port = free_port()
    log = tmp_path_factory.mktemp("sqs") / "moto.log"
    command = [sys.executable, "-m", "tests.servers.sqs", str(port)]
    with running(command, log, lambda: accepts_connections(port)):
        yield f"http://127.0.0.1:{port}"


def _serve(port: int) -> None:
    from moto.server import main

    _spare_the_depth()
    main(["-H", "127.0.0.1", "-p", str(port)])


def _spare_the_depth() -> None:
    """Keep moto from counting the whole queue for every message that it returns.

    At a depth of 400 a receive of ten falls from 321 to 6 ms. A moto that has changed is only slow.
    """
    from moto.sqs import models

    def replace(owner: object, name: str, value: object) -> None:
        if hasattr(owner, name):
            setattr(owner, name, value)

    replace(models.SQSBackend, "is_message_valid_based_on_retention_period", lambda *_: True)
    replace(models, "unix_time", lambda *_: time.time())
    replace(models, "unix_time_millis", lambda *_: time.time() * 1000)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
