"""At most N holders at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from work_core.capabilities import Semaphores
from work_core.testing.conformance.area import Area

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.backend import Backend
    from work_core.testing.travel import Travel


class Semaphore:
    """One key of the backend under test, asked at the time that *travel* shows."""

    def __init__(self, backend: Semaphores, namespace: str, travel: Travel) -> None:
        self.backend = backend
        self.namespace = namespace
        self.travel = travel
        self.key = "key"

    def acquire(self, holder: str, limit: int, units: float = 1.0) -> bool:
        """Take a place for *units* of time."""
        now, until = self.travel.now, self.travel.after(units * self.travel.unit)
        return self.backend.acquire(
            self.namespace, self.key, holder, limit=limit, at=now, until=until
        )

    def release(self, holder: str) -> None:
        """Give the place back."""
        self.backend.release(self.namespace, self.key, holder)


class SemaphoreArea(Area, capability=Semaphores):
    """``acquire`` and ``release``."""

    @pytest.fixture
    def semaphore(self, backend: Backend, namespace: str, travel: Travel) -> Semaphore:
        """A semaphore that nobody holds."""
        if not isinstance(backend, Semaphores):
            pytest.skip(f"{type(backend).__name__} is not a Semaphores")
        return Semaphore(backend, namespace, travel)

    def test_semaphore_lets_limit_holders_in(self, semaphore: Semaphore) -> None:
        """No more than ``limit`` holders have a place."""
        assert [semaphore.acquire(holder, 2) for holder in "abc"] == [True, True, False]

    def test_released_place_is_free(self, semaphore: Semaphore) -> None:
        """A place that is given back goes to the next."""
        assert semaphore.acquire("a", 1)
        semaphore.release("a")
        assert semaphore.acquire("b", 1)

    def test_holder_takes_one_place(self, semaphore: Semaphore) -> None:
        """A holder that asks again keeps its one place."""
        assert semaphore.acquire("a", 2)
        assert semaphore.acquire("a", 2)
        assert semaphore.acquire("b", 2)
        assert not semaphore.acquire("c", 2)

    def test_place_expires(self, semaphore: Semaphore, travel: Travel) -> None:
        """A holder that vanished loses its place when its time is over, and not before."""
        assert semaphore.acquire("a", 1)
        travel(travel.unit - travel.margin)
        assert not semaphore.acquire("b", 1)
        travel(travel.margin + _resolution(semaphore))
        assert semaphore.acquire("b", 1)

    def test_place_is_renewed(self, semaphore: Semaphore, travel: Travel) -> None:
        """Asking again makes the new time count, even with all places taken."""
        assert semaphore.acquire("a", 1)
        assert semaphore.acquire("a", 1, units=3)
        travel(2 * travel.unit)
        assert not semaphore.acquire("b", 1)
        travel(travel.unit + _resolution(semaphore))
        assert semaphore.acquire("b", 1)

    def test_releasing_nothing_is_no_error(self, semaphore: Semaphore) -> None:
        """Releasing a place that one does not have changes nothing."""
        semaphore.release("nobody")
        assert semaphore.acquire("a", 1)
        semaphore.release("b")
        assert not semaphore.acquire("b", 1)

    def test_keys_are_apart(self, semaphore: Semaphore) -> None:
        """Each key of each namespace has its own places."""
        assert semaphore.acquire("a", 1)
        semaphore.key = "other"
        assert semaphore.acquire("b", 1)
        semaphore.key, semaphore.namespace = "key", f"{semaphore.namespace}-other"
        assert semaphore.acquire("c", 1)

    def test_lowered_limit_holds(self, semaphore: Semaphore) -> None:
        """The limit of the call counts: with more holders than that nobody new gets in."""
        assert semaphore.acquire("a", 3)
        assert semaphore.acquire("b", 3)
        assert not semaphore.acquire("c", 1)

    def test_threads_never_exceed_the_limit(self, semaphore: Semaphore) -> None:
        """Of eight threads that ask at once exactly ``limit`` get in."""
        gate = threading.Barrier(8)
        assert sum(_at_once(8, lambda n: _after(gate, lambda: semaphore.acquire(str(n), 3)))) == 3


def _resolution(semaphore: Semaphore) -> float:
    return float(getattr(semaphore.backend, "resolution", 0.0))


def _after(gate: threading.Barrier, call: Callable[[], bool]) -> bool:
    gate.wait()
    return call()


def _at_once(number: int, call: Callable[[int], bool]) -> list[bool]:
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(call, range(number)))
