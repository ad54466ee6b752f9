"""Backend URLs: take them apart, check their options, and print them without their secrets."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from work_core.errors import InvalidURL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from urllib.parse import SplitResult

T = TypeVar("T")

# Patterns are compiled at their first use, and `urllib` and `difflib` imported late: a program that
# only defines tasks parses no URL.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
# A password with a raw "/", "?", "#" or "@" in it makes no valid URL, but must not be shown either:
# what follows "user:" is hidden up to the last "@", or the last before the query if it looks like a
# port.
_USERINFO = r"(?<=://)([^/?#@:]*):(?:(?!\d*(?:[/?#,]|$)).*|[^?#]*)@"
_SECRETIVE = r"(?:pass|secret|token|key|credential)"
_SECRET_OPTION = rf"(?i)([?&][^=&#]*{_SECRETIVE}[^=&#]*=)[^&#]*"


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

    def hide(self, text: str) -> str:
        """Return *text*, perhaps a driver's message, with this URL's secrets as ``***``."""
        from urllib.parse import quote, quote_plus

        text = text.replace(self.raw, str(self))
        secrets = [
            value for name, value in self.query if re.search(_SECRETIVE, name, re.IGNORECASE)
        ]
        for secret in filter(None, [self.password, *secrets]):
            for form in {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}:
                text = text.replace(form, "***")
        return text

    @contextmanager
    def options(self) -> Iterator[Option]:
        """Yield a function that takes one option at a time; what is left at the end is refused.

        Raises:
            InvalidURL: for an option that cannot be converted, stands twice, or nobody took.
        """
        left: dict[str, str] = {}
        for name, value in self.query:
            if left.setdefault(name, value) is not value:
                raise InvalidURL(f"option {name!r} stands twice in {self}; give it once")
        known: list[str] = []

        def take(name: str, convert: Callable[[str], T], default: T) -> T:
            known.append(name)
            if name not in left:
                return default
            text = left.pop(name)
            try:
                return convert(text)
            except (ValueError, InvalidURL) as error:
                reason = self.hide(f"{text!r} is refused: {error}")
            # Not `from error`, which may show a secret.
            raise InvalidURL(f"option {name!r} of {self}: {reason}")

        yield take
        if left:
            raise InvalidURL(_unknown_option(self, next(iter(left)), known))


def parse_url(text: str) -> URL:
    """Take *text* apart; white space around it is dropped.

    Raises:
        InvalidURL: when it is no URL, has a fragment, or its port is no number from 1 to 65535.
    """
    from urllib.parse import parse_qsl, unquote, urlsplit

    text = text.strip()
    _refuse_unparsable(text)
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        # Not `from error`, and without its text, which quotes the part where a password may stand.
        query = None
    if query is None:
        raise InvalidURL(
            f"{redact(text)!r} is no backend URL: expected "
            f"scheme://user:password@host:port/path?option=value{_ESCAPE}"
        )
    return URL(
        raw=text,
        scheme=parts.scheme,
        netloc=parts.netloc,
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password) if parts.password is not None else None,
        host=parts.hostname,
        port=_port(parts, text),
        path=unquote(parts.path),
        query=tuple(query),
    )


_ESCAPE = "; special characters in a password or option are written as %XX"


def _refuse_unparsable(text: str) -> None:
    if not re.match(_SCHEME, text):
        raise InvalidURL(
            f"{redact(text)!r} is no backend URL; expected something like sqlite:///jobs.db"
        )
    if "#" in text:
        raise InvalidURL(f"{redact(text)!r} has a raw '#', which ends a URL; write it as %23")
    if not text.isprintable():
        raise InvalidURL(f"{redact(text)!r} has control characters in it{_ESCAPE}")


def _port(parts: SplitResult, text: str) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port != 0:
        return port
    if "," in parts.netloc:
        # A list of hosts (Sentinel, cluster) has no single port: its backend reads the netloc.
        return None
    hint = _ESCAPE if "@" in text.partition(parts.netloc)[2] else ""
    raise InvalidURL(f"the port of {redact(text)!r} is no number from 1 to 65535{hint}")


def redact(text: str) -> str:
    """Return URL *text* with its password and secret options replaced by ``***``."""
    text = re.sub(_USERINFO, r"\1:***@", text, flags=re.DOTALL)
    return re.sub(_SECRET_OPTION, r"\1***", text)


def yes_or_no(text: str) -> bool:
    """Convert an option that is a switch: 1, true, yes, on or 0, false, no, off."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("expected 1 or 0")


def suggestion(name: str, known: list[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to *name*, or an empty string."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _unknown_option(url: URL, name: str, known: list[str]) -> str:
    hint = suggestion(name, known) or (
        f"; known: {', '.join(known)}" if known else "; it takes none"
    )
    return f"unknown option {name!r} in {url}{hint}"
