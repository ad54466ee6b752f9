"""The keys of a namespace, as the Go library names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from work_core.job import QueueName


def encode(text: str) -> bytes:
    """Return the bytes of *text*; surrogate escapes become the bytes that they stand for."""
    return text.encode("utf-8", "surrogateescape")


def decode(key: bytes) -> str:
    """Return the text of *key*; bytes that are no UTF-8 become surrogate escapes."""
    return key.decode("utf-8", "surrogateescape")


def queue_key(queue: QueueName) -> bytes:
    """Return the key of the sorted set that holds the job keys of *queue* by due time."""
    return encode(f"{queue[0]}:queue:{queue[1]}")


def invalid_key(queue: QueueName) -> bytes:
    """Return the key of the sorted set to which the keys of records that are no jobs are moved."""
    return encode(f"{queue[0]}:invalid:{queue[1]}")


def job_prefix(namespace: str) -> bytes:
    """Return what the keys of all jobs of *namespace* begin with; the id follows."""
    return encode(f"{namespace}:job:")


def lock_key(namespace: str, key: str) -> bytes:
    """Return the key of the sorted set of the holders of *key*, by the end of their places."""
    return encode(f"{namespace}:lock:{key}")


def once_key(namespace: str, key: str) -> bytes:
    """Return the key whose value says who claimed *key* and until when."""
    return encode(f"{namespace}:unique:{key}")
