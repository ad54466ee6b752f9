"""One connection to one server, used by one thread at a time."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

from work_redis.failures import FAILURES

if TYPE_CHECKING:
    from redis.connection import AbstractConnection

    from work_redis.scripts import Script

STALE_AFTER = 1.0
"""After how many idle seconds a connection is checked before it is trusted with a command."""


class Link:
    """A connected connection that runs scripts and can wait for a queue to change.

    redis-py's client costs about 20 us per command on top of its ``Connection``, so this goes straight
    to the latter.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        connection.connect()
        self._last_used = time.monotonic()

    def run(self, script: Script, keys: tuple[bytes, ...], arguments: list[Any]) -> Any:
        """Run *script* and return its reply, sending its text first where the server lacks it."""
        connection = self._connection
        command = connection.pack_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
        connection.send_packed_command(command, check_health=False)
        try:
            return connection.read_response()
        except NoScriptError:
            self.command("SCRIPT", "LOAD", script.text)
            connection.send_packed_command(command, check_health=False)
            return connection.read_response()

    def command(self, *parts: Any) -> Any:
        """Run one plain command and return its reply."""
        connection = self._connection
        connection.send_packed_command(connection.pack_command(*parts), check_health=False)
        return connection.read_response()

    def is_sound(self) -> bool:
        """Tell whether the server still holds its end, as far as can be seen without asking it."""
        now = time.monotonic()
        if now - self._last_used > STALE_AFTER:
            with suppress(*FAILURES):
                self._read_pushes()
                self._last_used = now
                return True
            return False
        return True

    def _read_pushes(self) -> None:
        while self._connection.can_read(0):
            self._connection.read_response(push_request=True)

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()
