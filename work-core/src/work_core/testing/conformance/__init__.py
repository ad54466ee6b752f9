"""The conformance suite: every obligation of ``work_core.backend`` as a test, area by area."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from work_core.testing.conformance.area import Unreachable
from work_core.testing.conformance.browsing import Browsing
from work_core.testing.conformance.concurrency import Concurrency
from work_core.testing.conformance.counting import Counting
from work_core.testing.conformance.failures import Failures
from work_core.testing.conformance.fencing import Fencing
from work_core.testing.conformance.finding import Finding
from work_core.testing.conformance.leases import Leases
from work_core.testing.conformance.model import Model
from work_core.testing.conformance.once_keys import OnceKeyArea
from work_core.testing.conformance.order import Order
from work_core.testing.conformance.semaphores import SemaphoreArea
from work_core.testing.conformance.storage import Storage
from work_core.testing.conformance.transactions import Transactions
from work_core.testing.conformance.waiting import Waiting
from work_core.url import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BackendConformance", "Unreachable"]


class BackendConformance(
    Storage,
    Order,
    Leases,
    Fencing,
    Waiting,
    Concurrency,
    Failures,
    Finding,
    Counting,
    Browsing,
    SemaphoreArea,
    OnceKeyArea,
    Transactions,
    Model,
):
    """Prove that a backend keeps the contract: subclass it in a test module and give ``backend``.

    The other fixtures of ``Area`` are optional. What the store truly cannot do goes into
    ``deviations``; a test that is listed there must fail, so that the list stays true.

    Attributes:
        deviations: name of a test, or ``test[parameter]`` -> why the store cannot keep it.
    """

    deviations: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in vars(cls):
            if name.startswith("test_") and hasattr(BackendConformance, name):
                raise TypeError(
                    f"{cls.__name__} overrides {name} of the suite; "
                    "say in `deviations` what the store cannot do"
                )
        for name in cls.deviations:
            if name not in _SUITE:
                raise TypeError(
                    f"{cls.__name__} declares a deviation from {name}, which is no test "
                    f"of the suite{suggestion(name, list(_SUITE))}"
                )

    @pytest.fixture(autouse=True)
    def _expect_deviations(
        self, request: pytest.FixtureRequest, _skip_without_the_capability: None
    ) -> None:
        test = request.node
        reason = self.deviations.get(test.name) or self.deviations.get(test.originalname)
        if reason:
            test.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _names(test: str) -> Iterable[str]:
    """Return the name of *test*, and its name with each of its parameters."""
    yield test
    for mark in getattr(getattr(BackendConformance, test), "pytestmark", ()):
        if mark.name == "parametrize":
            for parameter in mark.kwargs.get("ids") or map(str, mark.args[1]):
                yield f"{test}[{parameter}]"


_SUITE = {
    name for test in dir(BackendConformance) if test.startswith("test_") for name in _names(test)
}
