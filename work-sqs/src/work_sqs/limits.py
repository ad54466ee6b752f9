"""What SQS allows, as its documentation states it."""

from __future__ import annotations

BATCH = 10
"""Messages or receipts in one request."""

BATCH_BYTES = 1_048_576
"""Bytes of all messages in one request; also the most that a queue's MaximumMessageSize can be."""

DELAY = 900
"""Seconds for which a new message can be hidden."""

VISIBILITY = 43_200
"""Seconds for which a received message can be hidden, from its receive, extensions included."""

POLL = 20
"""Seconds for which one ReceiveMessage can wait."""

RETENTION = 1_209_600
"""Seconds for which a queue keeps a message at most: 14 days."""

NAME = 80
"""Characters of a queue name."""
