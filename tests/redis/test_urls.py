"""What a URL may say, and how the backend gets to where it leads."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.redis.conftest import lease, open_redis
from tests.redis.proxy import Proxy
from tests.servers.process import free_port
from tests.servers.redis import redis_server

from work_core.errors import BackendUnavailable, InvalidURL
from work_core.job import Job, QueueName
from work_core.plugins import open_backend

if TYPE_CHECKING:
    from pathlib import Path

    import redis


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://h/0?databse=1", "unknown option 'databse'"),
        ("redis://h/zero", "database 'zero' is no number"),
        ("redis://h?db=-1", "'-1' is refused"),
        ("redis://h?socket_timeout=0", "a number of seconds above 0"),
        ("redis://h?compat=ruby", "expected go"),
        ("redis://h?tracking=maybe", "expected 1 or 0"),
        ("redis://h?ssl_ca_certs=x", "unknown option 'ssl_ca_certs'"),
        ("rediss://h?ssl_cert_reqs=perhaps", "expected required, optional or none"),
        ("redis+pigeon://h", "unknown scheme 'redis\\+pigeon'"),
        ("redis+sentinels://h/main", "did you mean 'redis\\+sentinel'"),
        ("redis+sentinel://h1,h2", "names no service"),
        ("redis+sentinel://h1,h2:x/main", "'h2:x' is no host"),
        ("redis+cluster://h1,h2/1", "a cluster has only database 0"),
        ("unix://", "names no socket"),
    ],
)
def test_wrong_url_is_refused(url: str, reason: str) -> None:
    """What is wrong in a URL is told when it is opened, before a server is asked."""
    with pytest.raises(InvalidURL, match=reason):
        open_backend(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://user:secret@h:1/2?socket_timeout=1&socket_connect_timeout=1&client_name=x",
        "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=0",
        "unix:///run/redis.sock?db=3",
        "redis+unix:///run/redis.sock",
        "redis+sentinel://:secret@h1,[::1]:26380/main/1?sentinel_password=secret",
        "rediss+cluster://h1,h2:7000",
    ],
)
def test_url_is_opened_without_a_server(url: str) -> None:
    """Opening asks no server, and the backend shows where it leads without the passwords."""
    with open_backend(url) as backend:
        assert "secret" not in repr(backend)


def test_database_is_chosen_by_the_path(redis_url: str, raw: redis.Redis, queue: QueueName) -> None:
    """The number at the end of the URL is the database."""
    with open_redis(redis_url.removesuffix("0") + "1") as backend:
        backend.enqueue(queue, [Job()])
        assert not raw.exists(f"{queue.namespace}:queue:mail")
        assert backend.ack(queue, lease(backend, queue)) == []


def test_unix_socket(tmp_path: Path, queue: QueueName) -> None:
    """``unix://`` goes through a socket file."""
    socket = tmp_path / "redis.sock"
    with (
        redis_server(free_port(), tmp_path, "--unixsocket", str(socket)),
        open_redis(f"unix://{socket}") as backend,
    ):
        backend.enqueue(queue, [Job()])
        assert len(lease(backend, queue)) == 1


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(year=2100))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_tls(redis_url: str, tmp_path: Path, queue: QueueName) -> None:
    """``rediss://`` speaks TLS, checks the certificate, and hears pushes through it."""
    path = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    with Proxy(port, context) as proxy:
        url = f"rediss://127.0.0.1:{proxy.port}/0"
        with open_redis(f"{url}?ssl_ca_certs={path}") as backend:
            backend.enqueue(queue, [Job()])
            assert len(lease(backend, queue)) == 1
            assert lease(backend, queue, wait=0.05) == []
        with (
            open_redis(url) as stranger,
            pytest.raises(BackendUnavailable, match="CERTIFICATE"),
        ):
            stranger.dequeue(queue, 1, at=Job().created_at, lease=1.0)
