"""The pages for authors show code that is run: the example's files, and the contract itself."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest
from tests.testing.included_code import PAGES, with_code_included

from work_core import backend, capabilities, errors, hookspecs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_included(page: Path) -> None:
    """Included code is what the files hold; ``python tests/testing/included_code.py`` renews it."""
    text = page.read_text()
    assert text == with_code_included(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_is_never_written_by_hand(page: Path) -> None:
    """Every Python block comes from a file that tests run."""
    blocks = re.findall(r"(.*)\n```python\n", page.read_text())
    assert blocks
    assert [line for line in blocks if not line.startswith("<!-- include: ")] == []


def test_backend_page_has_the_whole_contract() -> None:
    """The page names every method, every capability and every error that a backend may raise."""
    text = PAGES[0].read_text()
    methods = [f"def {name}(" for name in vars(backend.Backend) if not name.startswith("_")]
    named = [*methods, *(f"class {each.__name__}(" for each in capabilities.CAPABILITIES)]
    raised = [errors.BackendUnavailable, errors.BackendClosed, errors.PayloadTooLarge]
    named += [each.__name__ for each in [*raised, errors.EnqueueFailed, errors.InvalidRecord]]
    assert [name for name in named if name not in text and name != "def resolution("] == []


def test_middleware_page_has_every_hook() -> None:
    """The page shows every hook with its contract."""
    text = PAGES[1].read_text()
    hooks = [name for name in vars(hookspecs) if name.startswith("work_")]
    hooks.remove("work_open_backend")
    hooks.remove("work_backend_class")
    missing = [name for name in hooks if inspect.getsource(getattr(hookspecs, name)) not in text]
    assert missing == []
