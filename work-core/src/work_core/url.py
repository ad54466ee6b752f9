"""Backend URLs: take them apart, check their options, and print them without their secrets."""

from __future__ import annotations

import re
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from work_core.errors import InvalidURL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_SECRET_OPTION = re.compile(r"(?i)([?&][^=&#]*(?:password|secret|token|key)[^=&#]*=)[^&#]*")


class Option(Protocol):
    """Take one option out of a URL's query."""

    def __call__(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """Return option *name* through *convert*, or *default* where the URL does not have it."""


class URL(NamedTuple):
    """A backend URL in its parts, percent-decoded; ``str()`` shows it without secrets.

    Attributes:
        raw: the URL as it was given, with secrets.
        scheme: what stands before ``://``, in lower case, with what follows a ``+``.
        netloc: the part between ``//`` and the path, as given; for stores with several hosts.
        path: the path with its leading slash, or an empty string.
        query: the options in order.
    """

    raw: str
    scheme: str
    netloc: str
    user: str | None
    password: str | None
    host: str | None
    port: int | None
    path: str
    query: tuple[tuple[str, str], ...]

    @property
    def owner(self) -> str:
        """The entry-point name of the backend: the scheme without what follows a ``+``."""
        return self.scheme.partition("+")[0]

    def __str__(self) -> str:
        return redact(self.raw)

    def __repr__(self) -> str:
        return f"URL({str(self)!r})"

    @contextmanager
    def options(self) -> Iterator[Option]:
        """Yield a function that takes one option at a time; what is left at the end is refused.

        Raises:
            InvalidURL: for an option that cannot be converted, stands twice, or nobody took.
        """
        left = dict(self.query)
        if len(left) < len(self.query):
            twice = next(
                name for name, _ in self.query if [n for n, _ in self.query].count(name) > 1
            )
            raise InvalidURL(f"option {twice!r} stands twice in {self}; give it once")
        known: list[str] = []

        def take(name: str, convert: Callable[[str], T], default: T) -> T:
            known.append(name)
            if name not in left:
                return default
            text = left.pop(name)
            try:
                return convert(text)
            except (ValueError, InvalidURL) as error:
                shown = "its value" if _SECRET_OPTION.match(f"?{name}=") else repr(text)
                raise InvalidURL(
                    f"option {name!r} of {self}: {shown} is refused: {error}"
                ) from error

        yield take
        if left:
            raise InvalidURL(_unknown_option(self, next(iter(left)), known))


def parse_url(text: str) -> URL:
    """Take *text* apart.

    Raises:
        InvalidURL: when it is no URL or its port is no number from 1 to 65535.
    """
    if not _SCHEME.match(text):
        raise InvalidURL(
            f"{redact(text)!r} is no backend URL; expected something like sqlite:///jobs.db"
        )
    try:
        parts = urlsplit(text)
        query = tuple(
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        )
    except ValueError as error:
        raise InvalidURL(f"{redact(text)!r} is no backend URL: {error}") from None
    try:
        port = parts.port
    except ValueError:
        # A list of hosts (Sentinel, cluster) has no single port: its backend reads the netloc.
        port = None
        if "," not in parts.netloc:
            raise InvalidURL(f"the port of {redact(text)!r} is no number from 1 to 65535") from None
    return URL(
        raw=text,
        scheme=parts.scheme,
        netloc=parts.netloc,
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password) if parts.password is not None else None,
        host=parts.hostname,
        port=port,
        path=unquote(parts.path),
        query=query,
    )


def redact(text: str) -> str:
    """Return URL *text* with its password and secret options replaced by ``***``."""

    def hide(match: re.Match[str]) -> str:
        user, colon, _ = match[0][:-1].partition(":")
        return f"{user}:***@" if colon else f"{user}@"

    return _SECRET_OPTION.sub(r"\1***", _USERINFO.sub(hide, text))


def yes_or_no(text: str) -> bool:
    """Convert an option that is a switch: 1, true, yes, on or 0, false, no, off."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("expected 1 or 0")


def suggestion(name: str, known: list[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to *name*, or an empty string."""
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _unknown_option(url: URL, name: str, known: list[str]) -> str:
    hint = suggestion(name, known) or (
        f"; known: {', '.join(known)}" if known else "; it takes none"
    )
    return f"unknown option {name!r} in {url}{hint}"
