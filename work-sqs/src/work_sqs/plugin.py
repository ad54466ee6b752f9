"""What the entry point ``sqs`` names: opens ``sqs://`` URLs."""

from __future__ import annotations

from work_core.hookspecs import hookimpl
from work_core.url import parse_url
from work_sqs.backend import SQSBackend
from work_sqs.settings import read_settings

SCHEME = "sqs"


@hookimpl
def work_open_backend(url: str) -> SQSBackend | None:
    """Open the backend for a ``sqs://`` URL; nothing is sent before the first call."""
    parts = parse_url(url)
    return SQSBackend(read_settings(parts)) if parts.owner == SCHEME else None


@hookimpl
def work_backend_class(scheme: str) -> type[SQSBackend] | None:
    """Return the class for the scheme ``sqs``."""
    return SQSBackend if scheme == SCHEME else None
