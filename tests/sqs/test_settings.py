"""What a URL may say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from work_core.errors import InvalidURL
from work_core.plugins import open_backend
from work_core.url import parse_url
from work_sqs.settings import read_settings


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqs://eu_west/", "'eu_west' in sqs://eu_west/ is no AWS region"),
        ("sqs://eu-west-1:99/", "port 99"),
        ("sqs://eu-west-1/queue", "path '/queue'"),
        ("sqs://key@eu-west-1/", "half a pair of credentials"),
        ("sqs://eu-west-1/?wait=21", "expected whole seconds from 1 to 20"),
        ("sqs://eu-west-1/?wait=1.5", "expected whole seconds from 1 to 20"),
        ("sqs://eu-west-1/?create=maybe", "expected 1 or 0"),
        ("sqs://eu-west-1/?prefix=a%20b", "expected at most 40 letters"),
        ("sqs://eu-west-1/?retry=never", "expected resend or visibility"),
        ("sqs://eu-west-1/?endpoint_url=localhost", "begins with http:// or https://"),
        ("sqs://eu-west-1/?queue.mails=mails", "begins with http:// or https://"),
        ("sqs://eu-west-1/?wiat=5", "did you mean 'wait'?"),
    ],
)
def test_a_wrong_part_is_named(url: str, said: str) -> None:
    """Each wrong part is one error with the value and what was expected."""
    with pytest.raises(InvalidURL) as raised:
        open_backend(url)
    assert said in str(raised.value)


def test_secrets_are_never_shown() -> None:
    """Neither an error nor a repr holds the secret key or the session token."""
    url = "sqs://key:s3cret@eu-west-1/?session_token=t0ken"
    with pytest.raises(InvalidURL) as raised:
        open_backend(f"{url}&nonsense=1")
    settings = read_settings(parse_url(url))
    with open_backend(url) as backend:
        shown = f"{raised.value} {raised.value!r} {settings!r} {backend!r}"
    assert "s3cret" not in shown
    assert "t0ken" not in shown
    assert (settings.secret_key, settings.session_token) == ("s3cret", "t0ken")


def test_queue_urls_are_given_by_id() -> None:
    """queue.<id>=<URL> maps any queue id, percent-encoded as in every URL."""
    settings = read_settings(parse_url("sqs://eu-west-1/?queue.a%26b=https%3A%2F%2Fhost%2F1%2Fq"))
    assert settings.queue_urls == {"a&b": "https://host/1/q"}


def test_without_any_region_there_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL without a region asks boto3's configuration, and says so when that has none."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(InvalidURL, match="no AWS region"):
        open_backend("sqs:///")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    with open_backend("sqs:///") as backend:
        assert "eu-west-3" in repr(backend)


def test_boto3_is_imported_only_for_sqs() -> None:
    """Opening another backend imports no boto3, although work-sqs is installed."""
    program = (
        "import sys; from work_core.plugins import open_backend;"
        "open_backend('memory://').close();"
        "print('boto3' in sys.modules, 'work_sqs' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert output.stdout.split() == [b"False", b"False"]
