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
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.process import accepts_connections, free_port, missing_server, running
from work_core.job import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from moto.sqs.models import SQSBackend


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
    _mend(clock)
    threading.Thread(target=clock.obey, args=(control,), daemon=True).start()
    main(["-H", "127.0.0.1", "-p", str(port)])


def _mend(clock: _MovedClock) -> None:
    """Move moto's clock, and keep it from counting the whole queue for every message.

    At a depth of 400 a receive of ten falls from 321 to 6 ms. A moto that has changed is only slow.
    """
    from moto.sqs import models

    def replace(owner: object, name: str, value: object) -> None:
        if hasattr(owner, name):
            setattr(owner, name, value)

    replace(models.SQSBackend, "receive_message", _one_at_a_time(models.SQSBackend))
    if hasattr(models.Queue, "BASE_ATTRIBUTES") and hasattr(models.SQSBackend, "send_message"):
        _send_without_counting(models)
    replace(models.SQSBackend, "is_message_valid_based_on_retention_period", lambda *_: True)
    replace(models.Message, "had_receipt_handle", _had)
    replace(models, "unix_time", clock.seconds)
    replace(models, "unix_time_millis", clock.milliseconds)


def _one_at_a_time(backend: type[SQSBackend]) -> Callable[..., list[Any]]:
    """Return a receive that hands no message to two callers, as moto's own does now and then."""
    receive, lock = backend.receive_message, threading.Lock()

    def receive_message(
        self: SQSBackend, queue_name: str, count: int, wait: float, *rest: Any, **options: Any
    ) -> list[Any]:
        deadline = time.monotonic() + wait
        while True:
            with lock:
                found = receive(self, queue_name, count, 0, *rest, **options)
            if found or time.monotonic() >= deadline:
                return found
            self.get_queue(queue_name).wait_for_messages(1)

    return receive_message


def _send_without_counting(models: Any) -> None:
    """Keep a send from computing the queue's three counters, of which it reads none."""
    sending, send = threading.local(), models.SQSBackend.send_message
    names = models.Queue.BASE_ATTRIBUTES
    few = [name for name in names if not name.startswith("ApproximateNumber")]

    def send_message(*arguments: Any, **options: Any) -> Any:
        sending.now = True
        try:
            return send(*arguments, **options)
        finally:
            sending.now = False

    models.SQSBackend.send_message = send_message
    models.Queue.BASE_ATTRIBUTES = property(
        lambda _: few if getattr(sending, "now", False) else names
    )


def _had(message: Any, handle: str) -> bool:
    return handle == message.receipt_handle or handle in message._old_receipt_handles


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
