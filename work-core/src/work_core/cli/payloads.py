"""Payloads from what was typed: a map of arguments by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from work_core.codec import encode_payload
from work_core.errors import ConfigError, InvalidArgument
from work_core.task import TASK_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence


def payload_of_json(text: str | bytes, task: str | None = None) -> bytes:
    """Return the payload of a JSON object, for *task* where tasks share the queue.

    Raises:
        ConfigError: saying what is wrong with the text, and at which column.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg} at column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise ConfigError("nested too deep") from error
    if not isinstance(value, dict):
        raise ConfigError(
            f'expected an object of arguments like {{"to": "ann"}}, found {_kind(value)}'
        )
    return _encode(value, task)


def payload_of_arguments(arguments: Sequence[str], task: str | None = None) -> bytes:
    """Return the payload of words from the command line: a list named ``args``."""
    return _encode({"args": list(arguments)}, task)


def _encode(arguments: dict[str, object], task: str | None) -> bytes:
    if task is not None:
        arguments[TASK_KEY] = task
    try:
        return encode_payload(arguments)
    except InvalidArgument as error:
        raise ConfigError(str(error)) from error


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), "an array")


def _refuse_constant(name: str) -> NoReturn:
    raise ConfigError(f"not JSON: {name} is no JSON number")
