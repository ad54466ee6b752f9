"""The order that memory:// keeps: a list sorted in blocks behaves like a sorted list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from work_core import timeline
from work_core.timeline import Key, Timeline

START = datetime(2024, 1, 1, tzinfo=UTC)
SECONDS = st.integers(0, 40)
KEYS = st.builds(lambda second, name: (at(second), name), SECONDS, st.text("abc", min_size=1))


def at(second: int) -> datetime:
    """Return a moment of the test."""
    return START + timedelta(seconds=second)


@given(st.lists(KEYS, unique=True), st.data())
def test_blocks_behave_like_a_sorted_list(keys: list[Key], data: st.DataObject) -> None:
    """Counting, browsing and taking answer as they would on one sorted list."""
    with patch.object(timeline, "_BLOCK", 4):
        line = _filled(keys)
        for gone in data.draw(
            st.lists(st.sampled_from(keys), unique=True) if keys else st.just([])
        ):
            line.remove(gone)
            keys.remove(gone)
        expected = sorted(keys)
        until, after, limit = at(data.draw(SECONDS)), data.draw(KEYS), data.draw(SECONDS)
        assert len(line) == len(expected)
        assert line.first() == (expected[0] if expected else None)
        assert line.count(until) == sum(key[0] <= until for key in expected)
        assert line.after(after, limit) == [key for key in expected if key > after][:limit]
        assert line.after(None, limit) == expected[:limit]
        taken = [key for key in expected if key[0] <= until][:limit]
        assert line.take(limit, until) == taken
        assert line.after(None, len(keys)) == [key for key in expected if key not in taken]


def test_blocks_stay_small() -> None:
    """Whatever the order of arrival no block outgrows its bound, so that no change costs more."""
    line = _filled([(at(number * 7919 % 50_000), f"{number}") for number in range(50_000)])
    assert max(map(len, line._blocks)) <= timeline._BLOCK
    line = _filled([(at(number), "") for number in range(50_000)])
    assert len(line._blocks) <= 51


def _filled(keys: list[Key]) -> Timeline:
    line = Timeline()
    for key in keys:
        line.add(key)
    return line
