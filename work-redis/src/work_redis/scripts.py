"""The Lua scripts that change a queue, each in one step."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple

# Dragonfly reads this; to Redis it is a comment. A `#!lua` line would turn on checks that forbid
# job keys which are only known once the queue was read.
_HEADER = "--!df flags=allow-undeclared-keys\n"


class Script(NamedTuple):
    """A script and the name under which the server caches it."""

    text: str
    sha: str


def _script(*parts: str) -> Script:
    folder = files("work_redis") / "lua"
    text = _HEADER + "".join((folder / f"{part}.lua").read_text("utf-8") for part in parts)
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


ENQUEUE = _script("enqueue")
EXCHANGE = _script("lease", "exchange")
RESCHEDULE = _script("lease", "reschedule")
EXTEND = _script("lease", "extend")
SET_ASIDE = _script("lease", "set_aside")
FIND = _script("lease", "find")
DELETE = _script("delete")
METRICS = _script("metrics")
PAGE = _script("lease", "page")
ACQUIRE = _script("acquire")
RELEASE = _script("release")
CLAIM = _script("claim")
FORGET = _script("forget")
SIDEKIQ = _script("sidekiq")
