"""Fixtures of the SQS test server: moto in a process of its own, on a socket, with a clock to move.

Run as a module it is that server: ``python -m tests.servers.sqs PORT CONTROL_PORT``.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from datetime import timedelta
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING

import pytest

from tests.servers.process import accepts_connections, free_port, missing_server, running
from work_core.job import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class SQSServer:
    """A server that speaks the protocol of SQS.

    Attributes:
        endpoint: its address.
        travels: whether its clock can be moved.
    """

    def __init__(self, endpoint: str, control: int | None = None) -> None:
        self.endpoint = endpoint
        self.travels = control is not None
        self._control = control
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Return the server's time."""
        return utc_now() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the server's clock on."""
        self._set(self._offset + timedelta(seconds=seconds))

    def reset(self) -> None:
        """Bring the clock back to the present."""
        if self._offset:
            self._set(timedelta(0))

    def _set(self, offset: timedelta) -> None:
        assert self._control is not None
        self._offset = offset
        with Client(("127.0.0.1", self._control)) as control:
            control.send(self._offset.total_seconds())
            control.recv()


@pytest.fixture(scope="session")
def sqs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQSServer]:
    """Yield an SQS server: the one at ``WORK_TEST_SQS_ENDPOINT``, or moto."""
    given = os.environ.get("WORK_TEST_SQS_ENDPOINT")
    if given:
        yield SQSServer(given)
        return
    if importlib.util.find_spec("moto") is None:
        missing_server("no SQS server: install moto[server] or set WORK_TEST_SQS_ENDPOINT")
    port, control = free_port(), free_port()
    log = tmp_path_factory.mktemp("sqs") / "moto.log"
    command = [sys.executable, "-m", "tests.servers.sqs", str(port), str(control)]
    with running(command, log, lambda: accepts_connections(port)):
        yield SQSServer(f"http://127.0.0.1:{port}", control)


@pytest.fixture(scope="session")
def sqs_endpoint(sqs_server: SQSServer) -> str:
    """Return the address of the SQS server."""
    return sqs_server.endpoint


class _MovedClock:
    """The time of the moto process, as far ahead as it was told to be."""

    def __init__(self) -> None:
        self.offset = 0.0

    def seconds(self, *_: object) -> float:
        return time.time() + self.offset

    def milliseconds(self, *_: object) -> float:
        return (time.time() + self.offset) * 1000

    def obey(self, port: int) -> None:
        with Listener(("127.0.0.1", port)) as listener:
            while True:
                with listener.accept() as control:
                    self.offset = control.recv()
                    control.send(None)


def _serve(port: int, control: int) -> None:
    from moto.server import main

    clock = _MovedClock()
    _spare_the_depth(clock)
    threading.Thread(target=clock.obey, args=(control,), daemon=True).start()
    main(["-H", "127.0.0.1", "-p", str(port)])


def _spare_the_depth(clock: _MovedClock) -> None:
    """Keep moto from counting the whole queue for every message that it returns.

    At a depth of 400 a receive of ten falls from 321 to 6 ms. A moto that has changed is only slow.
    """
    from moto.sqs import models

    def replace(owner: object, name: str, value: object) -> None:
        if hasattr(owner, name):
            setattr(owner, name, value)

    replace(models.SQSBackend, "is_message_valid_based_on_retention_period", lambda *_: True)
    replace(models, "unix_time", clock.seconds)
    replace(models, "unix_time_millis", clock.milliseconds)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
