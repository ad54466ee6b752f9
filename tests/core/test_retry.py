"""What becomes of a job is decided by what its handler raised, and by nothing else."""

from __future__ import annotations

import pickle
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_core.errors import ConfigError, Discard, LeaveLeased, Snooze
from work_core.job import Job
from work_core.retry import (
    DEFAULT_BACKOFF,
    LAST_ERROR_LIMIT,
    SUCCESS,
    Decision,
    ExponentialBackoff,
    apply,
    decide,
    error_text,
)

NOW = datetime(2023, 11, 14, tzinfo=UTC)
ERROR = ValueError("boom")
MINUTE = ExponentialBackoff(first=60, jitter=0)


def job_with(retries: int = 0) -> Job:
    """Return a job that was made a day ago and has failed *retries* times."""
    return Job(b"", "x", NOW - timedelta(days=1), retries=retries)


# -- the decision ---------------------------------------------------------------------------------


def test_a_failure_is_retried_after_the_backoff() -> None:
    """What is raised sends the job back, due when the backoff says."""
    outcome = decide(job_with(), ERROR, now=NOW, backoff=MINUTE)
    assert (outcome.decision, outcome.error) == (Decision.RETRY, ERROR)
    assert outcome.due == NOW + timedelta(minutes=1)
    assert not outcome.succeeded


def test_the_backoff_is_asked_for_the_failure_that_was() -> None:
    """The backoff gets the number of this failure, 1 for the first, and the error."""
    asked: list[tuple[int, BaseException]] = []

    def backoff(retries: int, error: BaseException) -> float:
        asked.append((retries, error))
        return 1.0

    decide(job_with(retries=4), ERROR, now=NOW, backoff=backoff)
    assert asked == [(5, ERROR)]


def test_discard_removes_the_job() -> None:
    """Discard is the end of a job, whatever its backoff."""
    outcome = decide(job_with(), Discard("gone"), now=NOW, backoff=MINUTE)
    assert (outcome.decision, outcome.due) == (Decision.DISCARD, None)


def test_leave_leased_does_nothing() -> None:
    """A job that is left leased is neither acked nor rescheduled."""
    outcome = decide(job_with(), LeaveLeased(), now=NOW, backoff=MINUTE)
    assert (outcome.decision, outcome.due) == (Decision.LEAVE, None)


@pytest.mark.parametrize(
    ("delay", "due"),
    [
        (90, NOW + timedelta(seconds=90)),
        (0.5, NOW + timedelta(seconds=0.5)),
        (-1, NOW),
        (inf, datetime.max.replace(tzinfo=UTC)),
        (1e300, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_snooze_sends_the_job_back_for_a_while(delay: float, due: datetime) -> None:
    """A snoozed job is due after its delay: not before now, and not beyond the last year."""
    outcome = decide(job_with(), Snooze(delay), now=NOW, backoff=MINUTE)
    assert (outcome.decision, outcome.due) == (Decision.SNOOZE, due)


@pytest.mark.parametrize("delay", [nan, "5", None, timedelta(1)])
def test_snooze_takes_seconds(delay: object) -> None:
    """A delay that is no number is refused where it is written."""
    with pytest.raises(ValueError, match="delay must be a number of seconds"):
        Snooze(delay)  # type: ignore[arg-type]


def test_a_snooze_crosses_processes() -> None:
    """A handler may raise it in a process pool."""
    snooze = pickle.loads(pickle.dumps(Snooze(5, "not yet")))
    assert (snooze.delay, str(snooze)) == (5, "not yet")


def test_the_decision_changes_nothing() -> None:
    """Deciding is pure: the job is as it was."""
    job = job_with(retries=3)
    before = deepcopy(job)
    for error in (ERROR, Discard(), Snooze(1), LeaveLeased()):
        decide(job, error, now=NOW, backoff=MINUTE)
    assert job == before


# -- what is written into the job -----------------------------------------------------------------


def test_a_retry_is_counted_and_told() -> None:
    """After a failure the job has one retry more, the error, and its new due time."""
    job = job_with(retries=2)
    apply(job, decide(job, ERROR, now=NOW, backoff=lambda *_: 7.0), now=NOW)
    assert (job.retries, job.last_error) == (3, "ValueError: boom")
    assert (job.updated_at, job.enqueued_at) == (NOW, NOW + timedelta(seconds=7))
    assert job.created_at == NOW - timedelta(days=1)


def test_a_snooze_spends_no_retry() -> None:
    """After a snooze only the times are new."""
    job = job_with(retries=2)
    job.last_error = "earlier"
    apply(job, decide(job, Snooze(7), now=NOW, backoff=MINUTE), now=NOW)
    assert (job.retries, job.last_error) == (2, "earlier")
    assert job.enqueued_at == NOW + timedelta(seconds=7)


@pytest.mark.parametrize("error", [Discard(), LeaveLeased()])
def test_a_job_that_does_not_come_back_is_not_changed(error: Exception) -> None:
    """An outcome without a due time writes nothing."""
    job = job_with()
    before = deepcopy(job)
    apply(job, decide(job, error, now=NOW, backoff=MINUTE), now=NOW)
    apply(job, SUCCESS, now=NOW)
    assert job == before


# -- the default backoff --------------------------------------------------------------------------


def gos_interval(retries: int) -> float:
    """Return the seconds before jitter as Go's library finds them: step by step, cut at an hour."""
    current = 1.0
    for _ in range(retries - 1):
        current = 3600.0 if current >= 3600.0 / 1.6 else current * 1.6
    return current


@given(st.integers(1, 60))
def test_the_default_is_gos_interval(retries: int) -> None:
    """Before jitter the wait is 1 s x 1.6 per failure, one hour at most."""
    plain = ExponentialBackoff(jitter=0)
    assert plain(retries, ERROR) == pytest.approx(gos_interval(retries))


@pytest.mark.parametrize("retries", [1, 5, 17, 18, 19, 1000])
def test_the_default_spreads_evenly_by_a_fifth(retries: int) -> None:
    """Jitter comes after the cap: waits are spread evenly over 20 % to either side."""
    interval = gos_interval(retries)
    waits = sorted(DEFAULT_BACKOFF(retries, ERROR) / interval for _ in range(4000))
    assert 0.8 <= waits[0] < 0.81
    assert 1.19 < waits[-1] <= 1.2
    for share in (0.25, 0.5, 0.75):
        # Six standard deviations of the quantile: fails once in 10^8 runs.
        assert waits[int(4000 * share)] == pytest.approx(0.8 + 0.4 * share, abs=0.02)


@pytest.mark.parametrize("backoff", [DEFAULT_BACKOFF, ExponentialBackoff(factor=2)])
@pytest.mark.parametrize("retries", [-5, 0, 10**6, 2**63])
def test_no_number_of_retries_is_too_much(backoff: ExponentialBackoff, retries: int) -> None:
    """A record may claim any number of retries: the wait stays within bounds, at once."""
    assert 0.8 <= backoff(retries, ERROR) <= 4320


@pytest.mark.parametrize(
    ("name", "value"),
    [("first", -1), ("factor", 0.5), ("longest", nan), ("jitter", 1.5), ("longest", inf)],
)
def test_a_backoff_out_of_range_is_refused(name: str, value: float) -> None:
    """A wait that would be negative or endless is refused when it is set."""
    with pytest.raises(ConfigError, match=f"{name} must be from .* not {value}"):
        ExponentialBackoff(**{name: value})


# -- the text of an error -------------------------------------------------------------------------


class Unreadable(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Untextual(Exception):
    """An error whose text is none."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value] # noqa: PLE0307 - on purpose


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("boom"), "ValueError: boom"),
        (ValueError(), "ValueError"),
        (KeyError("k"), "KeyError: 'k'"),
        (ValueError("a\0b"), "ValueError: a\\0b"),
        (ValueError("a\ud800b"), "ValueError: a\\ud800b"),
        (ValueError("é世界"), "ValueError: é世界"),
        (Unreadable(), "Unreadable: (the error has no readable message)"),
        (Untextual(), "Untextual: (the error has no readable message)"),
        (
            ExceptionGroup("two", [ValueError(), KeyError()]),
            "ExceptionGroup: two (2 sub-exceptions)",
        ),
    ],
)
def test_an_error_has_a_text_that_every_store_can_hold(error: Exception, text: str) -> None:
    """Type and message are kept, without what Postgres or UTF-8 cannot hold."""
    assert error_text(error) == text


def test_a_huge_error_is_cut() -> None:
    """An error with a whole document in it does not travel with every fetch."""
    assert len(error_text(ValueError("x" * 10_000_000))) == LAST_ERROR_LIMIT


@given(st.text())
def test_every_text_can_be_stored(text: str) -> None:
    """Whatever an error says, it is UTF-8 without NUL in the end."""
    stored = error_text(ValueError(text))
    assert "\0" not in stored
    assert stored.encode().decode() == stored
