"""The AWS JSON 1.0 protocol over HTTP."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.sqs.service.api import Api
from tests.sqs.service.clock import Clock
from tests.sqs.service.faults import Fault, Faults
from tests.sqs.service.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sqs.service.queue import Message

ACCESS_KEY = "AKIATEST"
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/sqs/")
_REFUSED = {
    Fault.THROTTLE: ("RequestThrottled", 403),
    Fault.SERVER_ERROR: ("InternalFailure", 500),
    Fault.UNAVAILABLE: ("ServiceUnavailable", 503),
}


class Service:
    """A running service, as a test sees it.

    Attributes:
        endpoint: its address.
        clock, faults: what a test moves and plans.
        denied: operations that the credentials may not do.
        requests: how many requests came in, by operation.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.faults = Faults()
        self.denied: set[str] = set()
        self.requests: Counter[str] = Counter()
        self.endpoint = ""
        self.api = Api(self.clock)

    def messages(self, name_ends: str = "") -> list[Message]:
        """Return the messages of all queues whose name ends so."""
        with self.clock.moved:
            return [
                message
                for (_, name), queue in self.api.queues.items()
                if name.endswith(name_ends)
                for message in queue.messages
            ]

    def create(self, name: str, region: str = "eu-west-1", **attributes: str) -> None:
        """Create a queue behind the back of the client."""
        self.api.call("CreateQueue", region, {"QueueName": name, "Attributes": attributes}, None)


@contextmanager
def serve() -> Iterator[Service]:
    """Run a service on a free port until the block ends."""
    service = Service()

    class Handler(_Handler):
        pass

    Handler.service = service
    server = _Server(("127.0.0.1", 0), Handler)
    service.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing: connections are cut on purpose."""


class _Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        """Answer one request, or let it fail as planned."""
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.service.requests[operation] += 1
        fault = self.service.faults.draw(operation)
        if fault is Fault.RESET:
            self._reset()
            return
        try:
            answer = self._answer(operation, request, fault)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if fault is Fault.LOST_ANSWER:
            self._reset()
        else:
            self._reply(200, answer)

    def _answer(self, operation: str, request: dict[str, Any], fault: Fault | None) -> Any:
        if fault in _REFUSED:
            code, status = _REFUSED[fault]
            raise Refusal(code, fault.value, status)
        key, region = self._credential()
        if key != ACCESS_KEY:
            raise Refusal("InvalidClientTokenId", "The security token is invalid.", 403)
        if operation in self.service.denied:
            raise Refusal("AccessDenied", f"User is not authorized to perform: {operation}", 403)
        return self.service.api.call(operation, region, request, fault)

    def _credential(self) -> tuple[str, str]:
        match = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        return (match[1], match[2]) if match else ("", "")

    def _refuse(self, refusal: Refusal) -> None:
        body = {"__type": f"com.amazonaws.sqs#{refusal.code}", "message": refusal.message}
        self._reply(refusal.status, body)

    def _reply(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Keep the output for the tests."""
