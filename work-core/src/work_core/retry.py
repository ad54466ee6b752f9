"""What becomes of a job after its handler ran: a pure decision, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from work_core.errors import ConfigError, Discard, LeaveLeased, Snooze

if TYPE_CHECKING:
    from work_core.job import Job

LAST_ERROR_LIMIT = 4096
"""How many characters of an error are stored with the job; more would travel with every fetch."""


class Decision(Enum):
    """What the store is told about a job."""

    ACK = "ack"
    RETRY = "retry"
    SNOOZE = "snooze"
    DISCARD = "discard"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decided fate of one run of a job.

    Attributes:
        decision: what the store is told.
        error: what the handler raised; ``None`` when it returned.
        due: when the job runs next, for ``RETRY`` and ``SNOOZE``.
    """

    decision: Decision
    error: BaseException | None = None
    due: datetime | None = None

    @property
    def succeeded(self) -> bool:
        """True when the handler returned."""
        return self.error is None


SUCCESS = Outcome(Decision.ACK)


class Backoff(Protocol):
    """How long to wait before a job runs again."""

    def __call__(self, retries: int, error: BaseException, /) -> float:
        """Return the seconds to wait after the failure number *retries* (1 for the first)."""


_YEAR = 366 * 86400.0
_RANGES = (
    ("first", 0.0, _YEAR),
    ("factor", 1.0, 1000.0),
    ("longest", 0.0, _YEAR),
    ("jitter", 0.0, 1.0),
)


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """Wait *first* seconds, then *factor* times longer after each failure.

    Attributes:
        first: seconds after the first failure.
        factor: how much longer each further wait is.
        longest: seconds at most, before jitter.
        jitter: the share by which a wait is shortened or prolonged at random, evenly spread.

    The defaults have the distribution of the Go library: 1 s, 1.6 s, 2.56 s, ... one hour, each by
    up to 20 % shorter or longer.

    Raises:
        ConfigError: for a value out of range.
    """

    first: float = 1.0
    factor: float = 1.6
    longest: float = 3600.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} must be from {least:g} to {most:g}, not {value}")

    def __call__(self, retries: int, error: BaseException) -> float:  # noqa: ARG002 - the protocol
        """Return the seconds to wait after the failure number *retries*."""
        from random import uniform

        try:
            # As a float: a power of integers would fill the memory before it is cut.
            wait = self.first * float(self.factor) ** max(retries - 1, 0)
        except OverflowError:
            wait = self.longest
        return min(wait, self.longest) * uniform(1 - self.jitter, 1 + self.jitter)


DEFAULT_BACKOFF = ExponentialBackoff()


def decide(job: Job, error: BaseException, *, now: datetime, backoff: Backoff) -> Outcome:
    """Return the outcome of a run of *job* that raised *error* at *now*; change nothing."""
    if isinstance(error, Discard):
        return Outcome(Decision.DISCARD, error)
    if isinstance(error, LeaveLeased):
        return Outcome(Decision.LEAVE, error)
    if isinstance(error, Snooze):
        return Outcome(Decision.SNOOZE, error, _later(now, error.delay))
    return Outcome(Decision.RETRY, error, _later(now, backoff(job.retries + 1, error)))


def apply(job: Job, outcome: Outcome, *, now: datetime) -> None:
    """Write *outcome* into the fields of *job*, ready to be rescheduled."""
    if outcome.due is None:
        return
    job.enqueued_at = outcome.due
    job.updated_at = now
    if outcome.decision is Decision.RETRY and outcome.error is not None:
        job.retries += 1
        job.last_error = error_text(outcome.error)


def error_text(error: BaseException) -> str:
    """Return what is stored about *error*: type and message, as text that any store can hold."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not cost the job its retry
        message = "(the error has no readable message)"
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    clean = text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return clean[:LAST_ERROR_LIMIT]


def _later(now: datetime, seconds: float) -> datetime:
    try:
        return now + timedelta(seconds=max(seconds, 0.0))
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)
