"""Run several workers, or one that has to be replaced, under a supervisor."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from work_core.cli.loading import load_app
from work_core.cli.running import make_worker, say_drained
from work_core.worker.health import HealthServer, metrics_page
from work_core.worker.reload import SourceWatcher
from work_core.worker.supervisor import Limits, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.cli.options import WorkerOptions
    from work_core.cli.settings import Settings
    from work_core.worker.health import Page

logger = logging.getLogger("work")

PROMETHEUS = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes of one worker keep the counts that prometheus_client adds up."""


def run_supervisor(settings: Settings, options: WorkerOptions) -> int:
    """Run until a signal, a drain or a failure ends it, and return the exit code."""
    settings.log_to_stderr(logging.INFO)
    settings.export()
    with ExitStack() as stack:
        metrics = _metrics(stack, settings, options) if options.metrics_port else None
        supervisor = Supervisor(
            _child_command(settings, options),
            options.processes,
            Limits(options.max_jobs, options.max_memory, options.grace),
            drain=options.drain,
            changed=SourceWatcher(Path.cwd()).changed if options.reload else None,
            metrics=metrics,
        )
        if options.metrics_port:
            server = HealthServer(supervisor, options.metrics_host, options.metrics_port)
            stack.enter_context(server)
        logger.info("running %s in %d processes", options.target, options.processes)
        code = supervisor.run()
    if options.drain and code == 0:
        say_drained(supervisor.finished)
    return code


def _child_command(settings: Settings, options: WorkerOptions) -> list[str]:
    loudness = ["-v"] * settings.verbosity
    return [sys.executable, "-m", "work_core.cli", *loudness, *options.child_arguments()]


def _metrics(
    stack: ExitStack, settings: Settings, options: WorkerOptions
) -> Callable[[], Page | None]:
    """Load the app here too, for the plug-in that adds up what the children count."""
    if PROMETHEUS not in os.environ:
        # prometheus_client reads it when it is imported: before the app is.
        os.environ[PROMETHEUS] = stack.enter_context(TemporaryDirectory(prefix="work-metrics-"))
        stack.callback(os.environ.pop, PROMETHEUS)
    worker = make_worker(stack.enter_context(load_app(options.target, settings)), options)
    return lambda: metrics_page(worker)
