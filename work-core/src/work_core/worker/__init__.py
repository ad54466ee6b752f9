"""The engine: workers, and what a handler may ask about the job it runs."""

from __future__ import annotations

from work_core.worker.context import current_context, current_job
from work_core.worker.worker import Worker

__all__ = ["Worker", "current_context", "current_job"]
