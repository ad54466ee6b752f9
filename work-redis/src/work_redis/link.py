"""One connection to one server, used by one thread at a time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, ResponseError

from work_redis.bell import Bell
from work_redis.failures import FAILURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_redis.scripts import Script
    from work_redis.topology import Place

try:
    import hiredis
except ImportError:
    _PUSHES_ARE_TOLD_APART = True
else:
    # Before 3.2 a push looks like the answer to the next command.
    _PUSHES_ARE_TOLD_APART = hasattr(hiredis, "PushNotification")

logger = logging.getLogger("work")

STALE_AFTER = 1.0
"""After how many idle seconds a connection is checked before it is trusted with a command."""


class Link:
    """A connected connection that runs scripts and can wait for a queue to change.

    Once a call has raised, the link is only good for ``close``.

    Args:
        connection: a ``Connection`` of redis-py (which does not annotate it), connected. Its client
            would cost 20 us more per command.
        place: where it leads.
    """

    def __init__(self, connection: Any, place: Place) -> None:
        self.place = place
        self._connection = connection
        self._last_used = time.monotonic()
        self._tracks = False
        self.bell: Bell | None = None

    def run(self, script: Script, keys: tuple[bytes, ...], arguments: Sequence[Any]) -> Any:
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

    def run_and_peek(
        self, script: Script, keys: tuple[bytes, ...], arguments: Sequence[Any]
    ) -> tuple[Any, float | None]:
        """Run *script*; return its reply and the score at which the queue ``keys[0]`` then begins.

        One round trip. After ``watch``, the server pushes a message at the next change of that
        queue by anybody else: reads within scripts are not tracked, this one is, and it comes last
        because a write of this connection ends the tracking.
        """
        connection = self._connection
        commands = connection.pack_commands(
            [
                ("EVALSHA", script.sha, len(keys), *keys, *arguments),
                ("ZRANGE", keys[0], 0, 0, "WITHSCORES"),
            ]
        )
        connection.send_packed_command(commands, check_health=False)
        try:
            reply = connection.read_response()
        except NoScriptError:
            connection.read_response()
            self.command("SCRIPT", "LOAD", script.text)
            return self.run_and_peek(script, keys, arguments)
        return reply, _score(connection.read_response())

    def command(self, *parts: Any) -> Any:
        """Run one plain command and return its reply."""
        connection = self._connection
        connection.send_packed_command(connection.pack_command(*parts), check_health=False)
        return connection.read_response()

    def watch(self, *, tracking: bool) -> bool:
        """Get ready for ``wait``, and tell whether the server will push changes."""
        if self.bell is None:
            # redis-py has no public way to wait for two things at once.
            self.bell = Bell(self._connection._sock)  # noqa: SLF001
            self._tracks = tracking and self._start_tracking()
        return self._tracks

    def _start_tracking(self) -> bool:
        if not _PUSHES_ARE_TOLD_APART:
            logger.warning("hiredis is older than 3.2, so idle workers poll")
            return False
        try:
            # NOLOOP: what this connection writes itself is no news.
            self.command("CLIENT", "TRACKING", "ON", "NOLOOP")
        except ResponseError as error:
            logger.warning("Redis refuses client tracking, so idle workers poll: %s", error)
            return False
        return True

    def wait(self, timeout: float) -> None:
        """Return when the server pushed something, after a ring, or after *timeout* seconds."""
        if self.bell is not None and not self._read_pushes():
            self.bell.wait(timeout)
            self._read_pushes()

    def is_sound(self) -> bool:
        """Tell whether the server still holds its end, as far as can be seen without asking it."""
        now = time.monotonic()
        if now - self._last_used < STALE_AFTER:
            return True
        try:
            self._read_pushes()
        except FAILURES:
            return False
        return True

    def rest(self) -> None:
        """Note that the link goes out of use for a while."""
        self._last_used = time.monotonic()

    def close(self) -> None:
        """Close the connection."""
        if self.bell is not None:
            self.bell.close()
        self._connection.disconnect()

    def _read_pushes(self) -> bool:
        found = False
        while self._connection.can_read(0):
            self._connection.read_response(push_request=True)
            found = True
        return found


def _score(members: list[Any]) -> float | None:
    if not members:
        return None
    # RESP3 has a list of pairs, RESP2 a flat list.
    first = members[0]
    return float(first[1] if isinstance(first, list) else members[1])
