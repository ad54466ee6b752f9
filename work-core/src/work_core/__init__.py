"""Background jobs for Python where the store is a plug-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_core.app import App
from work_core.backend import Backend, Exchange
from work_core.errors import (
    BackendClosed,
    BackendError,
    BackendUnavailable,
    ConfigError,
    Discard,
    EnqueueFailed,
    InvalidArgument,
    InvalidPayload,
    InvalidRecord,
    InvalidURL,
    JobTimeout,
    LeaseLost,
    LeaveLeased,
    PayloadTooLarge,
    PluginError,
    Signal,
    Snooze,
    UnsupportedError,
    WorkError,
)
from work_core.hookspecs import hookimpl
from work_core.job import Job, Lease, QueueName
from work_core.middleware import DequeueRequest, EnqueueBatch, HandleContext
from work_core.plugins import open_backend
from work_core.queue import Enqueued, Queue
from work_core.retry import ExponentialBackoff, Outcome
from work_core.task import Task

if TYPE_CHECKING:
    from work_core.worker import Worker, current_context, current_job

__all__ = [
    "App",
    "Backend",
    "BackendClosed",
    "BackendError",
    "BackendUnavailable",
    "ConfigError",
    "DequeueRequest",
    "Discard",
    "EnqueueBatch",
    "EnqueueFailed",
    "Enqueued",
    "Exchange",
    "ExponentialBackoff",
    "HandleContext",
    "InvalidArgument",
    "InvalidPayload",
    "InvalidRecord",
    "InvalidURL",
    "Job",
    "JobTimeout",
    "Lease",
    "LeaseLost",
    "LeaveLeased",
    "Outcome",
    "PayloadTooLarge",
    "PluginError",
    "Queue",
    "QueueName",
    "Signal",
    "Snooze",
    "Task",
    "UnsupportedError",
    "WorkError",
    "Worker",
    "current_context",
    "current_job",
    "hookimpl",
    "open_backend",
]


def __getattr__(name: str) -> Any:
    # A program that only enqueues never pays for the worker.
    if name in {"Worker", "current_context", "current_job"}:
        from work_core import worker

        return getattr(worker, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("work-core")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
