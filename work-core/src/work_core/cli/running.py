"""Run a worker in this process, alone or as the child of a supervisor."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from work_core.cli.loading import load_app
from work_core.url import redact
from work_core.worker import Worker
from work_core.worker.child import Line
from work_core.worker.health import HealthServer, WorkerHealth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_core.app import App
    from work_core.cli.options import WorkerOptions
    from work_core.cli.settings import Settings

logger = logging.getLogger("work")

BLOCKING = "work-blocking"
"""How the threads of sync handlers on async queues are called."""


def run_here(settings: Settings, options: WorkerOptions) -> None:
    """Run one worker until a signal or the end of its drain."""
    with load_app(options.target, settings) as app:
        # After the import, so that logging that the app sets up stays as it is.
        settings.log_to_stderr(logging.INFO)
        collect_garbage_less_often()
        worker = make_worker(app, options)
        port = options.metrics_port
        health = WorkerHealth(worker)
        with HealthServer(health, options.metrics_host, port) if port else nullcontext():
            _announce(worker)
            if options.drain:
                say_drained(_drain(worker))
            else:
                worker.run()
    leave_stuck_handlers()


def run_as_child(settings: Settings, options: WorkerOptions, descriptor: int) -> None:
    """Run one worker that reports to its supervisor over the socket *descriptor*."""
    connection = socket.socket(fileno=descriptor)
    with load_app(options.target, settings) as app:
        settings.log_to_stderr(logging.INFO)
        collect_garbage_less_often()
        worker = make_worker(app, options)
        line = Line(worker, connection)
        ran: int | None = None
        try:
            if options.drain:
                ran = _drain(worker)
            else:
                worker.run()
        finally:
            line.close(ran)
    leave_stuck_handlers()


def collect_garbage_less_often() -> None:
    """Keep the collector from walking the same living objects hundreds of times a second.

    With 1,000 async jobs in flight that took a fifth of the time. The app's code and modules,
    which stay for ever, are left out of every collection.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def leave_stuck_handlers() -> None:
    """End the process even when a blocking handler outlived the grace period.

    Python waits for the threads of an executor for ever. The jobs have been given back by now.
    """
    stuck = [each for each in threading.enumerate() if each.name.startswith(BLOCKING)]
    for thread in stuck:
        thread.join(0.1)
    if any(thread.is_alive() for thread in stuck):
        logger.warning("a handler does not end; leaving it behind")
        logging.shutdown()
        os._exit(0)


def make_worker(app: App, options: WorkerOptions) -> Worker:
    """Return the worker that *options* describe."""
    return Worker(
        app,
        queues=options.queues or None,
        concurrency=options.concurrency,
        grace=options.grace,
        strict=options.strict,
    )


def say_drained(ran: int) -> None:
    """Print how many jobs a drain has run."""
    click.echo(f"drained: {ran} {'job' if ran == 1 else 'jobs'}")


def _announce(worker: Worker) -> None:
    url = worker.app.url
    queues = ", ".join(queue.queue_id for queue in worker.queues)
    where = redact(url) if isinstance(url, str) else type(url).__name__
    logger.info("running jobs of %s from %s in namespace %s", queues, where, worker.namespace)


def _drain(worker: Worker) -> int:
    """Drain until nothing is due, or a signal: then let running jobs end, as any worker does."""
    with _interrupted_by_sigterm():
        try:
            return worker.drain()
        except KeyboardInterrupt:
            ran = worker.finished
            worker.stop()
            return ran


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
