"""An SQS of our own for the tests: its protocol on a socket, with faults and a clock to move.

Written from the service's documentation. Where that leaves room it takes the side that is harder on
a client: a stale receipt is accepted and deletes nothing, and what was deleted cannot be hidden.
"""

from tests.sqs.service.clock import Clock
from tests.sqs.service.faults import Fault, Faults
from tests.sqs.service.http import Service, serve

__all__ = ["Clock", "Fault", "Faults", "Service", "serve"]
