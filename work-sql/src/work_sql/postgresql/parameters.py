"""The parameters of the statements, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_sql.rows import Pair, Row


def pairs_of(namespace: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return ids and tokens as arrays."""
    ids, tokens = map(list, zip(*pairs, strict=True))
    return {"namespace": namespace, "ids": ids, "tokens": tokens}


def columns_of(namespace: str, key: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the columns of *rows* as arrays."""
    due, ids, created, updated, retries, payloads, last_errors, _ = map(
        list, zip(*rows, strict=True)
    )
    return {
        "namespace": namespace,
        "key": key,
        "due": due,
        "ids": ids,
        "created": created,
        "updated": updated,
        "retries": retries,
        "payloads": payloads,
        "last_errors": last_errors,
    }


def values_of(namespace: str, key: str, row: Row, token: int) -> dict[str, Any]:
    """Return the values of one row, and the token that must still hold."""
    due, identity, created, updated, retries, payload, last_error, _ = row
    return {
        "namespace": namespace,
        "key": key,
        "due": due,
        "id": identity,
        "created": created,
        "updated": updated,
        "retries": retries,
        "payload": payload,
        "last_error": last_error,
        "token": token,
    }
