"""Everything that can go wrong, in one tree under ``WorkError``.

A message says what happened, with the value, and then what to do next. No message, repr or log line
holds the password of a URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_core.job import Job


class WorkError(Exception):
    """Catch this to catch everything that this project raises."""


class ConfigError(WorkError):
    """A setting, a file or an argument is wrong; the message names it and what was expected."""


class InvalidURL(ConfigError):
    """A backend URL has a part that is missing, unknown or malformed."""


class PluginError(ConfigError):
    """A plug-in is missing, broken, claimed twice or misused; the message names it."""


class UnsupportedError(WorkError):
    """The backend lacks a capability; the message names the backends that have it."""


class BackendError(WorkError):
    """The store refused or failed a call."""


class BackendUnavailable(BackendError):
    """The store cannot be reached or went away; the same call may succeed later."""


class BackendClosed(BackendError):
    """The backend was used after ``close()``."""


class PayloadTooLarge(BackendError):
    """A job is larger than the store accepts; the message says by how much."""


class EnqueueFailed(BackendError):
    """Some jobs of a call were stored and some were not.

    Attributes:
        stored: the jobs that are in the store.
        failed: the jobs that are not, each with its reason.
    """

    def __init__(
        self, message: str, *, stored: Sequence[Job], failed: Sequence[tuple[Job, str]]
    ) -> None:
        super().__init__(message)
        self.stored = stored
        self.failed = failed


class LeaseLost(WorkError):
    """Somebody else may run the job now; what this holder still does is wasted."""


class InvalidRecord(WorkError):
    """A stored record is no job.

    Attributes:
        reason: what is wrong with it.
        position: the byte at which the trouble starts, or -1 where it is not known.
        record: the bytes as they were found.
    """

    def __init__(self, reason: str, *, position: int = -1, record: bytes = b"") -> None:
        where = f" at byte {position}" if position >= 0 else ""
        super().__init__(f"not a job record{where}: {reason} (record of {len(record)} bytes)")
        self.reason = reason
        self.position = position
        self.record = record


class InvalidPayload(WorkError):
    """A payload does not carry the arguments that the task expects."""


class InvalidArgument(WorkError, TypeError):
    """A task argument cannot be carried by msgpack; the message names the argument."""


class JobTimeout(WorkError):
    """A handler ran longer than its timeout."""


class Signal(WorkError):
    """A way for a handler or middleware to choose the outcome of a job; not an error."""


class Discard(Signal):
    """Remove the job: it will never succeed, so retrying it is no use (Go: ErrUnrecoverable)."""


class Snooze(Signal):
    """Put the job back, due after *delay* seconds, without spending a retry.

    Raises:
        ValueError: for a *delay* that is no number of seconds.
    """

    def __init__(self, delay: float, reason: str = "") -> None:
        try:
            usable = delay <= float("inf")
        except TypeError:
            usable = False
        if not usable:
            raise ValueError(f"delay must be a number of seconds, not {delay!r}")
        super().__init__(reason or f"snoozed for {delay:g} s")
        self.delay = delay

    def __reduce__(self) -> tuple[type[Snooze], tuple[float, str]]:
        # Handlers raise it in a process pool too.
        return type(self), (self.delay, str(self))


class LeaveLeased(Signal):
    """Neither ack nor reschedule: the job comes back when its lease ends (Go: ErrDoNotRetry)."""
