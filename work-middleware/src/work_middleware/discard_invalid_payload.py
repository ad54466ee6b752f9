"""Give up at once on a job whose payload no retry can mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_core.errors import Discard, InvalidPayload, Signal
from work_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Generator


class DiscardInvalidPayload:
    """Discard a job that fails because its payload does not carry what the handler expects.

    That is a failure with ``InvalidPayload``, or one raised ``from`` it: what tasks raise for
    arguments that do not fit, and ``work_core.codec.decode_payload`` for bytes that are no
    msgpack. In ``work.toml``::

        plugins = ["discard-invalid-payload"]
    """

    @hookimpl(wrapper=True)
    def work_handle(self) -> Generator[None, object, object]:
        """Turn ``InvalidPayload`` into ``Discard``."""
        try:
            return (yield)
        except Signal:
            raise
        except Exception as error:
            cause = _invalid_payload(error)
            if cause is not None:
                raise Discard(f"invalid payload: {cause}") from error
            raise


def _invalid_payload(error: BaseException | None) -> InvalidPayload | None:
    while error is not None and not isinstance(error, InvalidPayload):
        error = error.__cause__
    return error
