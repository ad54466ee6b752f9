"""What all areas of the suite share: its fixtures, and how a broken obligation is named."""

from __future__ import annotations

import functools
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from work_core.job import QueueName
from work_core.testing.conformance.queue_under_test import QueueUnderTest
from work_core.testing.travel import Travel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_core.backend import Backend


class Unreachable(NamedTuple):
    """A backend whose store is down, and the password that no message may show."""

    backend: Backend
    secret: str


class Area:
    """One area of the contract: its tests, each with the obligation as its docstring.

    A subclass gives ``backend``. It may override the other fixtures here: each docstring says what
    it owes. A test whose fixture is not given is skipped with the reason. An area about a
    capability names it, and is skipped for a backend without it.
    """

    def __init_subclass__(cls, capability: type | None = None) -> None:
        super().__init_subclass__()
        for name, test in list(vars(cls).items()):
            if name.startswith("test_"):
                if capability:
                    test.needs = capability
                setattr(cls, name, _naming_the_obligation(test))

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        """Yield an open backend; the same store may serve all tests."""
        raise NotImplementedError("give a fixture `backend` that yields an open backend")

    @pytest.fixture
    def namespace(self) -> str:
        """Return a namespace that no other test uses."""
        return f"conformance-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def travel(self) -> Travel:
        """Return the clock of the test; ``WallTravel()`` for a store that keeps time itself."""
        return Travel()

    @pytest.fixture
    def url(self) -> str:
        """Return a URL that opens the store of ``backend`` in any process on this machine."""
        pytest.skip("the suite was given no fixture `url`")

    @pytest.fixture
    def reopen(self, url: str) -> Iterator[Callable[[], Backend]]:
        """Return a function that opens one more backend object on the store of ``backend``."""
        from work_core.plugins import open_backend

        opened: list[Backend] = []

        def open_another() -> Backend:
            opened.append(open_backend(url))
            return opened[-1]

        yield open_another
        for backend in opened:
            backend.close()

    @pytest.fixture
    def poison(self) -> Callable[[QueueName], None]:
        """Return a function that plants a record that is no job in a queue, due long ago."""
        pytest.skip("the suite was given no fixture `poison`")

    @pytest.fixture
    def unreachable(self) -> Iterator[Unreachable]:
        """Yield ``Unreachable(backend, secret)``: a backend opened on a store that is down."""
        pytest.skip("the suite was given no fixture `unreachable`")

    @pytest.fixture
    def payload_limit(self) -> int:
        """Return the size in bytes of a payload that the store is bound to refuse."""
        pytest.skip("the suite was given no fixture `payload_limit`")

    @pytest.fixture
    def connection(self) -> Iterator[Any]:
        """Yield a connection of the caller's own to the store, with ``commit`` and ``rollback``."""
        pytest.skip("the suite was given no fixture `connection`")

    @pytest.fixture
    def queue(self, backend: Backend, namespace: str, travel: Travel) -> QueueUnderTest:
        """The queue of the test, new and empty."""
        return QueueUnderTest(backend, QueueName(namespace, "queue"), travel)

    @pytest.fixture(autouse=True)
    def _skip_without_the_capability(self, request: pytest.FixtureRequest) -> None:
        needed = getattr(request.function, "needs", None)
        if needed is None:
            return
        backend = request.getfixturevalue("backend")
        if not isinstance(backend, needed):
            pytest.skip(f"{type(backend).__name__} is not a {needed.__name__}")


def _naming_the_obligation(test: Callable[..., None]) -> Callable[..., None]:
    """Make a failure of *test* say which obligation was broken: the test's docstring."""
    obligation = (test.__doc__ or "").strip()

    @functools.wraps(test)
    def named(*arguments: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        try:
            test(*arguments, **fixtures)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"broken obligation: {obligation}")
            raise

    return named if obligation else test
