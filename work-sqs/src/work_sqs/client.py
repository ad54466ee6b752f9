"""The one boto3 client of a process: shared by all threads, its requests counted."""

from __future__ import annotations

from collections import Counter
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader

from work_core.errors import InvalidURL
from work_sqs.errors import translate
from work_sqs.limits import POLL

if TYPE_CHECKING:
    from work_sqs.settings import Settings

CONNECTIONS: Final = 64


class Client:
    """Call SQS by operation name and count every request that goes out, retries included.

    Nothing is sent before the first call.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session_lock = Lock()
        self._count_lock = Lock()
        self._counts: Counter[str] = Counter()
        self._region = _region(settings)
        self._client: Any = None
        self.place: Final = settings.endpoint_url or f"SQS in {self._region}"

    @property
    def requests(self) -> dict[str, int]:
        """How many requests were sent since the start, by operation."""
        with self._count_lock:
            return dict(self._counts)

    def call(self, operation: str, queue: str, **parameters: Any) -> dict[str, Any]:
        """Send *operation*, a method name of boto3's client, and return the answer.

        Raises:
            WorkError: from boto3's error, naming *queue*.
        """
        client = self._client or self._connect()
        try:
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        except (BotoCoreError, ClientError, OSError) as error:
            raise translate(error, _api_name(operation), queue, self.place) from error
        return answer

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def _connect(self) -> Any:
        with self._session_lock:
            if self._client is None:
                self._client = self._build()
            return self._client

    def _build(self) -> Any:
        settings = self._settings
        session = boto3.session.Session(
            botocore_session=_session(),
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            aws_session_token=settings.session_token,
            profile_name=settings.profile,
            region_name=self._region,
        )
        client = session.client(
            "sqs",
            endpoint_url=settings.endpoint_url,
            config=Config(
                # "adaptive" may sleep inside a call, which a worker cannot interrupt.
                retries={"mode": "standard", "total_max_attempts": 3},
                max_pool_connections=CONNECTIONS,
                connect_timeout=5,
                read_timeout=POLL + 10,
                tcp_keepalive=True,
            ),
        )
        client.meta.events.register("before-send.sqs", self._count)
        return client

    def _count(self, event_name: str, **_: object) -> None:
        with self._count_lock:
            self._counts[event_name.rpartition(".")[2]] += 1


def _session() -> botocore.session.Session:
    """Return a new session that reads the service's model only once per process.

    The second client of a process is built in 30 ms, where it would take 110.
    """
    session = botocore.session.get_session()
    session.register_component("data_loader", _loader())
    return session


@cache
def _loader() -> Loader:
    return create_loader()


def _region(settings: Settings) -> str:
    region = settings.region or boto3.session.Session(profile_name=settings.profile).region_name
    if region is None:
        raise InvalidURL(
            "no AWS region: name it in the URL as in sqs://eu-west-1/, or set AWS_REGION"
        )
    return str(region)


def _api_name(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))
