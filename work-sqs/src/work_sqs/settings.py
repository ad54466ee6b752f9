"""What a ``sqs://`` URL says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from work_core.errors import InvalidURL
from work_core.url import yes_or_no
from work_sqs.limits import POLL

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_core.url import URL, Option

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}")
_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,40}")
_QUEUE = "queue."

Retry = Literal["resend", "visibility"]
Schedule = Literal["visibility", "resend"]
Group = Literal["queue", "job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach SQS and how to use it.

    Attributes:
        region: an AWS region; ``None`` takes boto3's default.
        access_key, secret_key, session_token: credentials; without them boto3's own chain decides.
        profile: a profile of the AWS configuration files.
        endpoint_url: another server that speaks the protocol.
        prefix: stands before every queue name.
        create: create a queue that does not exist.
        wait: for how many seconds one request waits for messages at most, 1 to 20.
        retry: ``resend`` writes a failed job anew, with its retries and error; ``visibility`` only
            hides it, in one request, and takes the retries from the receive count.
        schedule: how a job due in more than 15 minutes waits; ``visibility`` hides it for the last
            12 hours, ``resend`` sends it anew every 15 minutes.
        group: of FIFO queues; ``queue`` keeps all jobs in order, ``job`` gives each its own group.
        queue_urls: queue URLs by queue id, which spares looking them up.
    """

    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    profile: str | None = None
    endpoint_url: str | None = None
    prefix: str = ""
    create: bool = False
    wait: int = POLL
    retry: Retry = "resend"
    schedule: Schedule = "visibility"
    group: Group = "queue"
    queue_urls: dict[str, str] = field(default_factory=dict)


def read_settings(url: URL) -> Settings:
    """Return what *url* says.

    Raises:
        InvalidURL: naming the part that is wrong.
    """
    _check_place(url)
    with url.options() as option:
        return Settings(
            region=url.host,
            access_key=url.user or None,
            secret_key=url.password or None,
            session_token=option("session_token", str, None),
            profile=option("profile", str, None),
            endpoint_url=option("endpoint_url", _http_url, None),
            prefix=option("prefix", _prefix, ""),
            create=option("create", yes_or_no, False),
            wait=option("wait", _poll_seconds, POLL),
            retry=cast("Retry", option("retry", _one_of("resend", "visibility"), "resend")),
            schedule=cast(
                "Schedule", option("schedule", _one_of("visibility", "resend"), "visibility")
            ),
            group=cast("Group", option("group", _one_of("queue", "job"), "queue")),
            queue_urls=_queue_urls(url, option),
        )


def _check_place(url: URL) -> None:
    if url.host is not None and not _REGION.fullmatch(url.host):
        raise InvalidURL(
            f"{url.host!r} in {url} is no AWS region; expected something like sqs://eu-west-1/"
        )
    if url.port is not None:
        raise InvalidURL(
            f"port {url.port} in {url} means nothing; name another server with endpoint_url="
        )
    if url.path not in {"", "/"}:
        raise InvalidURL(
            f"path {url.path!r} in {url} means nothing; queue names come from the namespace and "
            "queue id, or from queue.<id>=<queue URL>"
        )
    if bool(url.user) != bool(url.password):
        raise InvalidURL(f"{url} has half a pair of credentials; give key:secret@ or neither")


def _queue_urls(url: URL, option: Option) -> dict[str, str]:
    names = [name for name, _ in url.query if name.startswith(_QUEUE)]
    return {name.removeprefix(_QUEUE): option(name, _http_url, "") for name in names}


def _http_url(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise ValueError("expected a URL that begins with http:// or https://")
    return text


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError("expected at most 40 letters, digits, hyphens and underscores")
    return text


def _poll_seconds(text: str) -> int:
    seconds = int(text) if text.isdecimal() else 0
    if not 1 <= seconds <= POLL:
        raise ValueError(f"expected whole seconds from 1 to {POLL}")
    return seconds


def _one_of(*choices: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected {' or '.join(choices)}")
        return text

    return convert
