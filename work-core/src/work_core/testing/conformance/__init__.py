"""The conformance suite: every obligation of ``work_core.backend`` as a test, area by area."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

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
from work_core.testing.conformance.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    Model,
):
    """Prove that a backend keeps the contract: subclass it in a test module and give ``backend``.

    The other fixtures of ``Area`` are optional. What the store truly cannot do goes into
    ``deviations``; a test that is listed there must fail, so that the list stays true.

    Attributes:
        deviations: name of a test -> why the store cannot keep that obligation.
    """

    deviations: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _refuse_overrides(cls)
        _drop_inherited_deviations(cls)
        for name, reason in cls.deviations.items():
            setattr(cls, name, _expected_to_fail(_suite_test(cls, name), reason))


def _refuse_overrides(cls: type) -> None:
    for name in vars(cls):
        if name.startswith("test_") and hasattr(BackendConformance, name):
            raise TypeError(
                f"{cls.__name__} overrides {name} of the suite; "
                "say in `deviations` what the store cannot do"
            )


def _drop_inherited_deviations(cls: type) -> None:
    for name in dir(BackendConformance):
        test = getattr(BackendConformance, name)
        if name.startswith("test_") and getattr(cls, name) is not test:
            setattr(cls, name, test)


def _suite_test(cls: type, name: str) -> Callable[..., None]:
    test = getattr(BackendConformance, name, None)
    if test is None or not name.startswith("test_"):
        raise TypeError(f"{cls.__name__} declares a deviation from {name}, which is no test")
    found: Callable[..., None] = test
    return found


def _expected_to_fail(test: Callable[..., None], reason: str) -> Callable[..., None]:
    @functools.wraps(test)
    def deviating(*arguments: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        test(*arguments, **fixtures)

    marked: Callable[..., None] = pytest.mark.xfail(reason=reason, strict=True)(deviating)
    return marked
