"""The ``work`` command: the only place that imports click."""

from work_core.cli.root import cli, main

__all__ = ["cli", "main"]
