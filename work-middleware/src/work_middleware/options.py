"""Refuse a wrong option when a plug-in is made, with one line that says what was expected."""

from __future__ import annotations

import math

from work_core.errors import ConfigError


def whole_number(name: str, value: object, *, least: int) -> int:
    """Return *value* if it is a whole number of at least *least*.

    Raises:
        ConfigError: naming the option and what was found.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} must be a whole number of {least} or more, not {value!r}")
    return value


def seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Return *value* if it is a finite number of seconds above 0, or from 0 on with *zero*.

    Raises:
        ConfigError: naming the option and what was found.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and (number > 0 or (zero and number == 0)):
            return number
    least = "0 or more" if zero else "more than 0"
    raise ConfigError(f"{name} must be a number of seconds, {least}, not {value!r}")


def flag(name: str, value: object) -> bool:
    """Return *value* if it is true or false.

    Raises:
        ConfigError: naming the option and what was found.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, not {value!r}")
    return value


def text(name: str, value: object) -> str:
    """Return *value* if it is a text that is not empty.

    Raises:
        ConfigError: naming the option and what was found.
    """
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} must be a text that is not empty, not {value!r}")
    return value
