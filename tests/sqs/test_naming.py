"""Queue names."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from work_core.job import QueueName
from work_sqs.naming import set_aside_name, sqs_name

ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
NAMES = st.builds(QueueName, st.text(max_size=60), st.text(min_size=1, max_size=60))


@given(NAMES)
def test_any_queue_has_a_name_that_sqs_accepts(queue: QueueName) -> None:
    """Whatever namespace and queue id hold, the name keeps to the characters and length of SQS."""
    assert ALLOWED.fullmatch(sqs_name(queue, "prefix-"))
    assert ALLOWED.fullmatch(set_aside_name(sqs_name(queue, "prefix-")))


@given(NAMES, NAMES)
def test_two_queues_never_share_a_name(one: QueueName, other: QueueName) -> None:
    """Different queues have different names, and none is another's set-aside queue."""
    assert (sqs_name(one) == sqs_name(other)) == (one == other)
    assert set_aside_name(sqs_name(one)) != sqs_name(other)


def test_a_name_can_be_read() -> None:
    """Letters and digits stay, the rest is hexadecimal, and .fifo stays at the end."""
    assert sqs_name(QueueName("shop", "send_mail"), "app-") == "app-shop-send_5fmail"
    assert sqs_name(QueueName("shop", "orders.fifo")) == "shop-orders.fifo"
    assert sqs_name(QueueName("shop", "orders.fifox")) == "shop-orders_2efifox"
