"""What the entry point ``example`` names: how work opens ``example:///directory``."""

from __future__ import annotations

from pathlib import Path

from work_core import InvalidURL, hookimpl
from work_core.url import parse_url, yes_or_no
from work_example.backend import ExampleBackend


@hookimpl
def work_open_backend(url: str) -> ExampleBackend:
    """Check the whole URL now; touch the directory at the first call."""
    parsed = parse_url(url)
    if parsed.netloc or parsed.path in {"", "/"}:
        raise InvalidURL(f"{parsed} names no directory; expected example:///path/to/directory")
    with parsed.options() as option:
        sync = option("sync", yes_or_no, default=True)
    return ExampleBackend(Path(parsed.path), sync=sync)


@hookimpl
def work_backend_class() -> type[ExampleBackend]:
    """Tell tools what this backend can do."""
    return ExampleBackend
