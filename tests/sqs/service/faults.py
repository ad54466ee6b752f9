"""What can go wrong with a request, on demand or by chance."""

from __future__ import annotations

import random
import threading
from collections import deque
from enum import Enum


class Fault(Enum):
    """One way to fail a request."""

    THROTTLE = "refused, nothing done"
    SERVER_ERROR = "HTTP 500, nothing done"
    UNAVAILABLE = "HTTP 503, nothing done"
    RESET = "connection reset, nothing done"
    LOST_ANSWER = "done, and the connection reset before the answer"
    ENTRY_SENDER = "one entry of the batch fails by the sender's fault"
    ENTRY_SERVICE = "one entry of the batch fails by the service's fault"
    DUPLICATE = "what is delivered stays visible"


WHOLE = (Fault.THROTTLE, Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.RESET, Fault.LOST_ANSWER)


class Faults:
    """The faults to come.

    Attributes:
        rate: the share of requests that fail by chance, once the planned faults are used up.
        happened: how often each fault was injected.
    """

    def __init__(self, seed: int = 1) -> None:
        self.rate = 0.0
        self.happened: dict[Fault, int] = dict.fromkeys(Fault, 0)
        self._random = random.Random(seed)
        self._planned: dict[str, deque[Fault]] = {}
        self._lock = threading.Lock()

    def plan(self, operation: str, *faults: Fault) -> None:
        """Let the next requests of *operation* fail, one by each of *faults*."""
        with self._lock:
            self._planned.setdefault(operation, deque()).extend(faults)

    def draw(self, operation: str) -> Fault | None:
        """Return how this request of *operation* fails, if it does."""
        with self._lock:
            planned = self._planned.get(operation)
            fault = planned.popleft() if planned else self._by_chance(operation)
            if fault is not None:
                self.happened[fault] += 1
            return fault

    def _by_chance(self, operation: str) -> Fault | None:
        if self._random.random() >= self.rate:
            return None
        choices = [*WHOLE]
        if operation.endswith("Batch"):
            choices.append(Fault.ENTRY_SERVICE)
        if operation == "ReceiveMessage":
            choices.append(Fault.DUPLICATE)
        return self._random.choice(choices)
