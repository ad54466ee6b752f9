"""Background jobs for Python where the store is a plug-in.

A name is loaded when it is first asked for, so that a program pays only for what it uses: one that
enqueues never loads the worker, and a plug-in that needs ``hookimpl`` loads neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


_HOMES = {
    "App": "work_core.app",
    "Backend": "work_core.backend",
    "BackendClosed": "work_core.errors",
    "BackendError": "work_core.errors",
    "BackendUnavailable": "work_core.errors",
    "ConfigError": "work_core.errors",
    "DequeueRequest": "work_core.middleware",
    "Discard": "work_core.errors",
    "EnqueueBatch": "work_core.middleware",
    "EnqueueFailed": "work_core.errors",
    "Enqueued": "work_core.queue",
    "Exchange": "work_core.backend",
    "ExponentialBackoff": "work_core.retry",
    "HandleContext": "work_core.middleware",
    "InvalidArgument": "work_core.errors",
    "InvalidPayload": "work_core.errors",
    "InvalidRecord": "work_core.errors",
    "InvalidURL": "work_core.errors",
    "Job": "work_core.job",
    "JobTimeout": "work_core.errors",
    "Lease": "work_core.job",
    "LeaseLost": "work_core.errors",
    "LeaveLeased": "work_core.errors",
    "Outcome": "work_core.retry",
    "PayloadTooLarge": "work_core.errors",
    "PluginError": "work_core.errors",
    "Queue": "work_core.queue",
    "QueueName": "work_core.job",
    "Signal": "work_core.errors",
    "Snooze": "work_core.errors",
    "Task": "work_core.task",
    "UnsupportedError": "work_core.errors",
    "WorkError": "work_core.errors",
    "Worker": "work_core.worker",
    "current_context": "work_core.worker",
    "current_job": "work_core.worker",
    "hookimpl": "work_core.hookspecs",
    "open_backend": "work_core.plugins",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    if name == "__version__":
        from importlib.metadata import version

        return version("work-core")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
