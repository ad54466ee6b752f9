"""Run scripts on the server that owns a queue: connections, retries and errors."""

from __future__ import annotations

import random
import time
from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from work_core.errors import BackendClosed

from work_redis.failures import FAILURES, REFUSED, may_pass, translate
from work_redis.link import Link

if TYPE_CHECKING:
    from work_redis.scripts import Script
    from work_redis.topology import Place, Topology

RETRIES = 3
_FIRST_PAUSE = 0.05


class Client:
    """Links to the servers of one topology; safe from any thread.

    A link is taken, used by one thread, and given back; there are as many as threads that call at once.
    """

    def __init__(self, topology: Topology, server: str) -> None:
        self._topology = topology
        self._server = server
        self._idle: defaultdict[Place, deque[Link]] = defaultdict(deque)
        self._closed = False

    def run(
        self, script: Script, keys: tuple[bytes, ...], arguments: list[Any], *, again: bool
    ) -> Any:
        """Run *script* and return its reply; with *again* it is harmless to run it twice.

        Raises:
            BackendUnavailable: when the same call may succeed later.
            BackendError: when it cannot.
        """
        failures = 0
        while True:
            try:
                return self._run_once(script, keys, arguments)
            except FAILURES as error:
                failures += 1
                if may_pass(error):
                    self._distrust()
                repeatable = isinstance(error, REFUSED) or (again and may_pass(error))
                if not repeatable or failures > RETRIES:
                    raise translate(error, self._server) from error
            time.sleep(_FIRST_PAUSE * 2**failures * random.random())

    def _run_once(self, script: Script, keys: tuple[bytes, ...], arguments: list[Any]) -> Any:
        place = self._topology.locate(keys[0])
        link = self.take(place)
        try:
            reply = link.run(script, keys, arguments)
        except BaseException:
            link.close()
            raise
        self.give(place, link)
        return reply

    def take(self, place: Place) -> Link:
        """Return a link to *place* for the caller alone."""
        if self._closed:
            raise BackendClosed(f"{self._server} was closed; open it again")
        idle = self._idle[place]
        with suppress(IndexError):
            while True:
                link = idle.pop()
                if link.is_sound():
                    return link
                link.close()
        return Link(self._topology.connection(place))

    def give(self, place: Place, link: Link) -> None:
        """Take *link* back for the next caller."""
        if self._closed:
            link.close()
        else:
            self._idle[place].append(link)

    def _distrust(self) -> None:
        # One connection broke: the others of this server, and what we know of its place, are suspect too.
        self._topology.forget()
        self._close_idle()

    def close(self) -> None:
        """Close all links."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in list(self._idle.values()):
            with suppress(IndexError):
                while True:
                    idle.pop().close()
