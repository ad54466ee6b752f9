"""A key once per period."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from work_core.capabilities import OnceKeys
from work_core.testing.conformance.area import Area

if TYPE_CHECKING:
    from work_core.backend import Backend
    from work_core.testing.travel import Travel


class OnceKey:
    """One key of the backend under test, asked at the time that *travel* shows."""

    def __init__(self, backend: OnceKeys, namespace: str, travel: Travel) -> None:
        self.backend = backend
        self.namespace = namespace
        self.travel = travel
        self.key = "key"

    def claim(self, owner: str, units: float = 1.0) -> str | None:
        """Claim the key for *units* of time; return who has it instead."""
        period = units * self.travel.unit
        now = self.travel.now
        return self.backend.claim(self.namespace, self.key, owner, at=now, period=period)

    def forget(self, owner: str) -> bool:
        """Free the key."""
        return self.backend.forget(self.namespace, self.key, owner)


class OnceKeyArea(Area, capability=OnceKeys):
    """``claim`` and ``forget``."""

    @pytest.fixture
    def once(self, backend: Backend, namespace: str, travel: Travel) -> OnceKey:
        """A key that nobody has claimed."""
        if not isinstance(backend, OnceKeys):
            pytest.skip(f"{type(backend).__name__} is not an OnceKeys")
        return OnceKey(backend, namespace, travel)

    def test_key_is_given_once(self, once: OnceKey) -> None:
        """The first claim gets the key; others are told whose it is."""
        assert once.claim("a") is None
        assert once.claim("b") == "a"
        assert once.claim("c") == "a"

    def test_owner_may_claim_again(self, once: OnceKey) -> None:
        """The owner's own claim succeeds again."""
        assert once.claim("a") is None
        assert once.claim("a") is None

    def test_claim_ends_with_its_period(self, once: OnceKey, travel: Travel) -> None:
        """A key is free when its period is over, and not before."""
        assert once.claim("a") is None
        travel(travel.unit - travel.margin)
        assert once.claim("b") == "a"
        travel(travel.margin + _resolution(once))
        assert once.claim("b") is None

    def test_claiming_again_does_not_prolong(self, once: OnceKey, travel: Travel) -> None:
        """A claim by the owner does not prolong the period."""
        assert once.claim("a") is None
        travel(travel.unit / 2)
        assert once.claim("a") is None
        travel(travel.unit / 2 + _resolution(once))
        assert once.claim("b") is None

    def test_forgotten_key_is_free(self, once: OnceKey) -> None:
        """The owner can free the key before its time."""
        assert once.claim("a") is None
        assert once.forget("a") is True
        assert once.claim("b") is None

    def test_only_the_owner_forgets(self, once: OnceKey) -> None:
        """Nobody frees a key of somebody else, or one that nobody has."""
        assert once.forget("a") is False
        assert once.claim("a") is None
        assert once.forget("b") is False
        assert once.claim("b") == "a"

    def test_once_keys_are_apart(self, once: OnceKey) -> None:
        """Each key of each namespace is claimed by itself; any text is a key."""
        assert once.claim("a") is None
        once.key = "Schlüssel: 日本 {*}"
        assert once.claim("b") is None
        once.key, once.namespace = "key", f"{once.namespace}-other"
        assert once.claim("c") is None

    def test_one_of_many_claims_wins(self, once: OnceKey) -> None:
        """Of eight threads that claim at once one gets the key; the others are told whose it is."""
        gate = threading.Barrier(8)

        def claim(number: int) -> str | None:
            gate.wait()
            return once.claim(str(number))

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(claim, range(8)))
        assert answers.count(None) == 1
        winner = str(answers.index(None))
        assert set(answers) == {None, winner}


def _resolution(once: OnceKey) -> float:
    return float(getattr(once.backend, "resolution", 0.0))
