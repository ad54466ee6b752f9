"""How the service says no."""

from __future__ import annotations


class Refusal(Exception):
    """A refused request, or a refused entry of a batch."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
