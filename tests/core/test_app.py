"""An app holds the tasks of a program, and opens its backend when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from work_core import hookimpl
from work_core.app import App
from work_core.config import Config, PluginSetting
from work_core.errors import BackendClosed, ConfigError, PluginError
from work_core.job import Job, QueueName
from work_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


class Labelled:
    """A middleware that writes a label before every payload."""

    def __init__(self, label: bytes) -> None:
        self.label = label

    @hookimpl(wrapper=True)
    def work_enqueue(self, batch: object) -> Generator[None, object, object]:
        """Label the payloads."""
        for job in batch.jobs:  # type: ignore[attr-defined] # an EnqueueBatch
            job.payload = self.label + job.payload
        return (yield)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where no settings are."""
    monkeypatch.chdir(tmp_path)
    for name in ("WORK_URL", "WORK_NAMESPACE", "WORK_STORES", "WORK_CONFIG"):
        monkeypatch.delenv(name, raising=False)


# -- settings -------------------------------------------------------------------------------------


def test_the_defaults_are_a_file_in_this_directory() -> None:
    """Without any settings jobs go to SQLite, under the namespace work."""
    app = App()
    assert (app.url, app.namespace, app.plugins) == ("sqlite:///work.db", "work", [])


def test_settings_come_from_work_toml(tmp_path: Path) -> None:
    """What is not given is read from the file."""
    (tmp_path / "work.toml").write_text('url = "memory://file"\nnamespace = "shop"\n')
    app = App()
    assert (app.url, app.namespace) == ("memory://file", "shop")


def test_what_is_given_goes_before_the_file(tmp_path: Path) -> None:
    """Arguments win over settings, each for itself."""
    (tmp_path / "work.toml").write_text('url = "memory://file"\nnamespace = "shop"\n')
    app = App("memory://given")
    assert (app.url, app.namespace) == ("memory://given", "shop")


def test_an_app_that_is_told_all_reads_no_file(tmp_path: Path) -> None:
    """A broken file that is not needed breaks nothing."""
    (tmp_path / "work.toml").write_text("broken")
    assert App("memory://", namespace="n", plugins=[]).namespace == "n"
    with pytest.raises(ConfigError, match=r"work\.toml"):
        App("memory://")


def test_a_config_is_used_instead_of_the_file(tmp_path: Path) -> None:
    """Settings may be handed over."""
    (tmp_path / "work.toml").write_text("broken")
    app = App(config=Config(url="memory://", namespace="n"))
    assert (app.url, app.namespace) == ("memory://", "n")


def test_configured_plugins_are_loaded() -> None:
    """The file's plug-ins become objects, outermost first."""
    pytest.importorskip("work_middleware", reason="the sibling that offers middleware by name")
    settings = (
        PluginSetting("max-retries", {"limit": 3}, "here"),
        PluginSetting("heartbeat", {}, "here"),
    )
    app = App(config=Config(url="memory://", plugins=settings))
    assert [type(plugin).__name__ for plugin in app.plugins] == ["MaxRetries", "Heartbeat"]


def test_configured_stores_belong_to_the_configured_url() -> None:
    """An app with a URL of its own keeps its once-keys there, and not where the file says."""
    config = Config(url="memory://", stores="sqlite:///stores.db")
    with App(config=config) as configured:
        assert configured.stores is not configured.backend
    with MemoryBackend() as backend:
        assert App(backend, config=config).stores is backend


def test_an_empty_namespace_is_refused() -> None:
    """A namespace that is empty by mistake does not become another."""
    with pytest.raises(ConfigError, match="namespace must not be empty"):
        App("memory://", namespace="")


def test_a_wrong_plugin_is_refused_at_once() -> None:
    """What is no plug-in is named when the app is made, not when a job runs."""
    with pytest.raises(PluginError, match="is a class; pass an object"):
        App("memory://", plugins=[Labelled])


# -- the backend ----------------------------------------------------------------------------------


def test_nothing_is_opened_before_it_is_used() -> None:
    """A wrong URL hurts at the first use, so that defining tasks never needs a store."""
    app = App("rediz://localhost")

    @app.task
    def send() -> None:
        """Do nothing."""

    assert send.queue_name == QueueName("work", "send")
    with pytest.raises(PluginError, match="did you mean 'redis'"):
        send.enqueue()


def test_a_backend_is_opened_once() -> None:
    """All queues and stores of a URL share one backend."""
    with App("memory://") as app:
        assert app.backend is app.backend is app.stores is app.queue("mail").backend


def test_stores_may_be_another_backend() -> None:
    """Once-keys and semaphores may live elsewhere, by URL or as an open backend."""
    with MemoryBackend() as stores:
        assert App("memory://", stores=stores).stores is stores
    with App("memory://", stores="sqlite:///stores.db") as app:
        assert app.stores is not app.backend
        assert app.queue("mail").stores is app.stores


def test_close_closes_what_the_app_opened() -> None:
    """After close the old backend is closed, and the next use opens another."""
    app = App("memory://")

    @app.task
    def send() -> None:
        """Do nothing."""

    send.enqueue()
    before = app.backend
    app.close()
    with pytest.raises(BackendClosed):
        before.enqueue(QueueName("work", "send"), [Job()])
    send.enqueue()
    assert app.backend is not before
    app.close()


def test_an_open_backend_stays_open() -> None:
    """A backend that was handed over is the caller's to close."""
    with MemoryBackend() as backend:
        with App(backend) as app:
            app.queue("mail").enqueue(Job())
        backend.enqueue(QueueName("work", "mail"), [Job()])


def test_queues_have_the_apps_middleware_outside_their_own() -> None:
    """The app's plug-ins come first, and outside of the queue's."""
    with App("memory://", plugins=[Labelled(b"app ")]) as app:
        done = app.queue("mail", plugins=[Labelled(b"own ")]).enqueue(Job(b"payload"))
        assert done.job is not None
        assert done.job.payload == b"own app payload"


def test_a_queue_needs_an_id() -> None:
    """A queue id that is empty by mistake is refused."""
    with pytest.raises(ConfigError, match="queue's id must not be empty"):
        App("memory://").queue("")
