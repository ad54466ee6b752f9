"""Health and metrics over HTTP: answers that come from the last successful fetch, not from a ping.

``/readyz`` fails when a queue that has nothing to do was not fetched from for half a minute: the
store is away, or the fetching hangs. ``/livez`` gives it ten times as long, since a restart does
not bring a store back, but does end a hang. A queue whose jobs run is healthy however long they
take: give them a timeout.
"""

from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from work_core.errors import WorkError
from work_core.hooks import hooks_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from work_core.worker.worker import Worker

logger = logging.getLogger("work")

READY_LIMIT = 30.0
"""Seconds without a successful fetch after which a worker is not ready; an idle fetch takes 5."""

LIVE_LIMIT = 300.0
"""Seconds without a successful fetch after which a worker should be restarted."""

Page = tuple[str, bytes]


class QueueHealth(NamedTuple):
    """How one queue of a worker does.

    Attributes:
        queue: namespace and queue id.
        silence: seconds since the last successful fetch.
        busy: whether its jobs run or wait in the buffer.
    """

    queue: str
    silence: float
    busy: bool


class Source(Protocol):
    """Whoever knows how the workers do."""

    def problems(self, limit: float) -> list[str]:
        """Return a line for each thing that has been wrong for more than *limit* seconds."""

    def metrics(self) -> Page | None:
        """Return content type and body of the metrics page, or ``None`` without one."""


def health_of(worker: Worker) -> list[QueueHealth]:
    """Return how each queue of *worker* does; empty before it runs."""
    now, busy = time.monotonic(), worker.busy
    return [
        QueueHealth(str(queue), now - fetched, busy.get(queue, False))
        for queue, fetched in worker.last_fetch.items()
    ]


def stale(queues: Iterable[QueueHealth], limit: float) -> list[str]:
    """Return a line for each queue not busy and not fetched from for *limit* seconds."""
    return [
        f"queue {each.queue} was last fetched from {each.silence:.0f} s ago"
        for each in queues
        if each.silence > limit and not each.busy
    ]


def metrics_page(worker: Worker) -> Page | None:
    """Ask the plug-ins of *worker* for their metrics page."""
    page: Page | None = hooks_of(worker.plugins).work_metrics_page(
        backend=worker.backend, queues=worker.queues
    )
    return page


class WorkerHealth:
    """The health of a worker in this process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def problems(self, limit: float) -> list[str]:
        """Return what is wrong; see ``Source``."""
        queues = health_of(self._worker)
        return stale(queues, limit) if queues else ["the worker does not run"]

    def metrics(self) -> Page | None:
        """Return the metrics page; see ``Source``."""
        return metrics_page(self._worker)


class HealthServer:
    """Serve ``/livez``, ``/readyz`` and ``/metrics`` of *source* from a thread, while in the block.

    Raises:
        WorkError: when the port cannot be listened on.
    """

    def __init__(self, source: Source, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"source": source})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except (OSError, OverflowError) as error:
            raise WorkError(f"cannot serve health and metrics on {host}:{port}: {error}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="work-health", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    source: Source
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/livez":
            self._answer_health(LIVE_LIMIT)
        elif path == "/readyz":
            self._answer_health(READY_LIMIT)
        elif path == "/metrics":
            self._answer_metrics()
        else:
            self._answer(404, "text/plain", b"there are /livez, /readyz and /metrics\n")

    def _answer_health(self, limit: float) -> None:
        problems = self.source.problems(limit)
        body = "".join(f"{line}\n" for line in problems or ["ok"])
        self._answer(503 if problems else 200, "text/plain; charset=utf-8", body.encode())

    def _answer_metrics(self) -> None:
        try:
            page = self.source.metrics()
        except Exception as error:
            logger.exception("a plug-in failed to make the metrics page")
            self._answer(500, "text/plain", f"{type(error).__name__}; see the log\n".encode())
            return
        if page is None:
            self._answer(404, "text/plain", b"no plug-in offers metrics; add 'prometheus'\n")
        else:
            self._answer(200, *page)

    def _answer(self, code: int, content_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base says so
        logger.debug(format, *args)
