"""Run scripts on the server that owns a namespace: connections, retries and errors."""

from __future__ import annotations

import itertools
import os
import random
import secrets
import time
import weakref
from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from work_core.errors import BackendClosed
from work_redis.failures import FAILURES, may_pass, translate, was_refused
from work_redis.link import Link
from work_redis.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from work_redis.scripts import Script
    from work_redis.topology import Place, Topology


T = TypeVar("T")

RETRIES = 3
_FIRST_PAUSE = 0.05


class Client:
    """Links to the servers of one topology; safe from any thread and across fork.

    A link is taken, used by one thread, and given back; there are as many as calls at one time.

    Args:
        server: the URL without its secrets, for messages.
        tracking: whether to ask servers for pushes; without, a waiting dequeue polls.
        poll_interval: how often it then looks, in seconds.
    """

    def __init__(
        self, topology: Topology, server: str, *, tracking: bool, poll_interval: float
    ) -> None:
        self.server = server
        self.tracking = tracking
        self.poll_interval = poll_interval
        self._topology = topology
        self._closed = False
        self.start_afresh()
        _clients.add(self)

    def start_afresh(self) -> None:
        """Forget all links and waiting threads: there are none yet, or they are the parent's."""
        self._topology.forget()
        self._idle: defaultdict[Place, deque[Link]] = defaultdict(deque)
        self._mark = secrets.token_hex(6)
        self._numbers = itertools.count()
        self.watchers: set[Watcher] = set()
        self.wakes = 0

    def new_token(self) -> str:
        """Return a text that no other call in any process gets."""
        return f"{self._mark}-{next(self._numbers)}"

    def run(
        self,
        script: Script,
        namespace: str,
        keys: tuple[bytes, ...],
        arguments: Sequence[Any],
        *,
        again: bool,
    ) -> Any:
        """Run *script* and return its reply; see ``use``."""
        return self.use(namespace, lambda link: link.run(script, keys, arguments), again=again)

    def use(self, namespace: str, call: Callable[[Link], T], *, again: bool) -> T:
        """Return what *call* returns for a link to the owner of *namespace*.

        With *again* it does no harm to call twice, as when an answer never arrived.

        Raises:
            BackendUnavailable: when the same call may succeed later.
            BackendError: when it cannot.
        """

        def once() -> T:
            link = self.take(namespace)
            try:
                result = call(link)
            except BaseException:
                link.close()
                raise
            self.give(link)
            return result

        return self.attempt(once, again=again)

    def attempt(self, call: Callable[[], T], *, again: bool) -> T:
        """Return what *call* returns, calling it again after a failure where that does no harm."""
        failures = 0
        while True:
            try:
                return call()
            except FAILURES as error:
                failures += 1
                if may_pass(error):
                    self._distrust()
                repeatable = was_refused(error) or (again and may_pass(error))
                if not repeatable or failures > RETRIES or self._closed:
                    raise translate(error, self.server) from error
            # Jitter, so that a thousand clients of a server that came back do not arrive as one.
            time.sleep(_FIRST_PAUSE * 2**failures * random.random())

    def watch(self, namespace: str, wakes: int) -> Watcher:
        """Return what a dequeue needs to wait; *wakes* is our count of them when it began."""
        return Watcher(self, namespace, wakes)

    def take(self, namespace: str) -> Link:
        """Return a link to the owner of *namespace*, for the caller alone."""
        if self._closed:
            raise BackendClosed(f"{self.server} was closed; open it again")
        place = self._topology.locate(namespace)
        idle = self._idle[place]
        with suppress(IndexError):
            while True:
                link = idle.pop()
                if link.is_sound():
                    return link
                link.close()
        return self._connect(place)

    def give(self, link: Link) -> None:
        """Keep *link* for the next caller."""
        link.rest()
        if self._closed:
            link.close()
        else:
            self._idle[link.place].append(link)

    def wake(self) -> None:
        """Make every dequeue that waits return."""
        self.wakes += 1
        for watcher in list(self.watchers):
            watcher.ring()

    def close(self) -> None:
        """Close all links; those in use close when they are given back."""
        self._closed = True
        self._close_idle()
        self.wake()

    def _connect(self, place: Place) -> Link:
        return Link(self._topology.connect(place), place)

    def _distrust(self) -> None:
        # One link broke: the others, and what we know of the server's place, are suspect too.
        self._topology.forget()
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in list(self._idle.values()):
            with suppress(IndexError):
                while True:
                    idle.pop().close()


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _leave_the_parents_links() -> None:
    # A socket that two processes write to mixes their commands: the child makes its own.
    for client in list(_clients):
        client.start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_the_parents_links)
