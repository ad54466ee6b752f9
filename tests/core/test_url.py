"""Backend URLs are taken apart, checked, and shown without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_core.errors import InvalidURL
from work_core.url import parse_url, redact, suggestion, yes_or_no

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_url_has_parts() -> None:
    """All parts come percent-decoded, the options in order."""
    url = parse_url("Redis+TLS://us%40er:p%2Fw@Host:6380/db%201?timeout=5&name=a%26b&flag=")
    assert (url.scheme, url.owner) == ("redis+tls", "redis")
    assert (url.user, url.password, url.host, url.port) == ("us@er", "p/w", "host", 6380)
    assert url.path == "/db 1"
    assert url.query == (("timeout", "5"), ("name", "a&b"), ("flag", ""))


def test_parts_may_be_missing() -> None:
    """A URL of a scheme and a path is enough."""
    url = parse_url("sqlite:///jobs.db")
    assert (url.user, url.password, url.host, url.port) == (None, None, None, None)
    assert (url.path, url.query) == ("/jobs.db", ())


def test_several_hosts_are_the_backends_to_read() -> None:
    """A list of hosts stays in the netloc, without a port of its own."""
    url = parse_url("redis+sentinel://h1:26379,h2:26379/mymaster")
    assert (url.netloc, url.port) == ("h1:26379,h2:26379", None)


def test_white_space_around_a_url_is_dropped() -> None:
    """A URL read from a file or a secret may end with a line break."""
    assert parse_url(" redis://localhost\n").raw == "redis://localhost"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no backend URL"),
        ("jobs.db", "no backend URL; expected something like sqlite:///jobs.db"),
        ("redis:localhost", "no backend URL"),
        ("redis://h:port/0", "the port of 'redis://h:port/0' is no number from 1 to 65535"),
        ("redis://h:0", "no number from 1 to 65535"),
        ("redis://h:65536", "no number from 1 to 65535"),
        ("redis://[::1", "no backend URL"),
        ("redis://h/0?timeout", "expected scheme://"),
        ("sqlite:///a#b.db", "write it as %23"),
        ("redis://h\n/0", "control characters"),
    ],
)
def test_what_is_no_url_is_refused(text: str, reason: str) -> None:
    """The message shows the text and says what was expected."""
    with pytest.raises(InvalidURL, match=reason):
        parse_url(text)


# -- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://user:hunter2@h:1/0", "redis://user:***@h:1/0"),
        ("redis://:hunter2@h", "redis://:***@h"),
        ("redis://:hunter2@[::1]:6379/0", "redis://:***@[::1]:6379/0"),
        ("redis://h/0?password=hunter2&timeout=1", "redis://h/0?password=***&timeout=1"),
        ("sqs://h?SecretKey=hunter2", "sqs://h?SecretKey=***"),
        ("redis://h:6379/0?mail=a@b", "redis://h:6379/0?mail=a@b"),
        ("redis://h1:1,h2:2/m?mail=a@b", "redis://h1:1,h2:2/m?mail=a@b"),
        ("sqlite:////srv/a@b/jobs.db", "sqlite:////srv/a@b/jobs.db"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_a_url_is_shown_without_its_secrets(text: str, shown: str) -> None:
    """The password and secret options are hidden, and only they."""
    assert redact(text) == shown
    assert str(parse_url(text)) == shown
    assert repr(parse_url(text)) == f"URL({shown!r})"


@pytest.mark.parametrize(
    "text",
    [
        "redis://user:hunter2/more@h/0",
        "redis://user:hunter2?more@h/0",
        "redis://user:hunter2#more@h/0",
        "redis://user:hunter2@more@h/0",
        "redis://user:22/hunter2@h/0",
        "redis://user:hunter2\u2100@h/0",
        "redis://user:hunter2@h:port/0",
        "redis://user:hunter2@h/0?timeout",
        "redis://user:hunter2\x00@h/0",
    ],
)
def test_a_password_that_breaks_its_url_is_not_shown(text: str) -> None:
    """A password with characters that ought to be escaped stands in no message either."""
    assert "hunter2" not in redact(text)
    try:
        shown = str(parse_url(text))
    except InvalidURL as error:
        assert error.__cause__ is None  # noqa: PT017 - some of them are URLs
        shown = str(error)
    assert "hunter2" not in shown


@given(st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4))
def test_no_password_is_ever_shown(password: str) -> None:
    """Whatever the password, escaped or not, it does not survive."""
    url = f"x://u:q{password}q@h"
    assert f"q{password}q" not in redact(url)


def test_a_drivers_message_loses_the_secrets() -> None:
    """What a driver says about a URL is shown without the URL's secrets, however it wrote them."""
    url = parse_url("redis://u:p%2Fw%20d@h/0?token=s3cret")
    said = "cannot reach redis://u:p%2Fw%20d@h/0?token=s3cret as p/w d, p%2Fw%20d, p%2Fw+d, s3cret"
    assert url.hide(said) == "cannot reach redis://u:***@h/0?token=*** as ***, ***, ***, ***"


# -- options --------------------------------------------------------------------------------------


def take(text: str, name: str, convert: Callable[[str], object], default: object) -> object:
    """Take one option out of a URL."""
    with parse_url(text).options() as option:
        return option(name, convert, default)


def test_an_option_is_converted() -> None:
    """An option is read through its converter; one that is not there has its default."""
    assert take("x://h?n=5", "n", int, 1) == 5
    assert take("x://h", "n", int, 1) == 1


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("n=five", "option 'n' of x://h\\?n=five: 'five' is refused: invalid literal"),
        ("m=1", "unknown option 'm' in x://h\\?m=1.*known: n|did you mean 'n'"),
        ("n=1&n=2", "option 'n' stands twice"),
        ("n=1&other=2", "unknown option 'other'"),
    ],
)
def test_a_wrong_option_is_refused(query: str, reason: str) -> None:
    """An option that is unknown, malformed or doubled is named, with what would be right."""
    with pytest.raises(InvalidURL, match=reason):
        take(f"x://h?{query}", "n", int, 1)


def test_a_misspelt_option_gets_a_suggestion() -> None:
    """The nearest known option is offered."""
    with pytest.raises(InvalidURL, match="did you mean 'timeout'"):
        take("x://h?timout=1", "timeout", int, 1)


def test_a_backend_without_options_says_so() -> None:
    """Where nothing can be set, the message says it."""
    with pytest.raises(InvalidURL, match="it takes none"), parse_url("x://h?a=1").options():
        pass


def test_the_value_of_a_secret_option_is_not_shown() -> None:
    """A secret that cannot be converted is not quoted, by us or by the converter."""
    with pytest.raises(InvalidURL) as caught:
        take("x://h?api_key=hunter2", "api_key", int, 1)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["1", "true", "Yes", "ON"])
def test_a_switch_is_on(text: str) -> None:
    """A switch is turned on by any usual word."""
    assert yes_or_no(text) is True


@pytest.mark.parametrize("text", ["0", "false", "No", "OFF"])
def test_a_switch_is_off(text: str) -> None:
    """A switch is turned off by any usual word."""
    assert yes_or_no(text) is False


def test_a_switch_is_nothing_else() -> None:
    """Other words are refused."""
    with pytest.raises(ValueError, match="expected 1 or 0"):
        yes_or_no("maybe")


def test_no_suggestion_is_better_than_a_wrong_one() -> None:
    """What resembles nothing known gets no suggestion."""
    assert suggestion("rediz", ["redis", "sqlite"]) == "; did you mean 'redis'?"
    assert suggestion("kafka", ["redis", "sqlite"]) == ""
