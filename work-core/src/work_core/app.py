"""The application: a URL, a namespace, plug-ins and tasks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from work_core.errors import ConfigError
from work_core.hooks import hooks_of
from work_core.job import QueueName, utc_now
from work_core.plugins import open_backend
from work_core.queue import Queue
from work_core.retry import DEFAULT_BACKOFF
from work_core.task import Task, TaskOptions, task_name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from types import TracebackType

    from work_core.backend import Backend
    from work_core.config import Config
    from work_core.retry import Backoff

P = ParamSpec("P")
R = TypeVar("R")


class App:
    """Hold the tasks of a program and the backend they are enqueued into.

    What is not given here comes from ``work.toml``, ``[tool.work]`` in ``pyproject.toml``, or the
    environment. Nothing is opened before it is used.

    Args:
        url: where jobs are stored; or an open backend, which stays the caller's to close.
        namespace: keeps the queues of several programs in one store apart.
        plugins: middleware around every task, the first outermost.
        stores: a second backend, or its URL, for once-keys and semaphores.
        config: settings to use instead of those found.
        clock: returns the current time as an aware UTC datetime; tests travel with it.

    Raises:
        ConfigError: for settings that are wrong.
        PluginError: for plug-ins that are.
    """

    def __init__(
        self,
        url: str | Backend | None = None,
        *,
        namespace: str | None = None,
        plugins: Sequence[object] | None = None,
        stores: str | Backend | None = None,
        config: Config | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if config is None:
            from work_core.config import Config, load_config

            complete = url is not None and namespace is not None and plugins is not None
            config = Config() if complete else load_config()
        if url is None:
            # Configured stores belong to the configured URL.
            url, stores = config.url, config.stores if stores is None else stores
        self._url: str | Backend = url
        self._stores_url = stores
        self.namespace: str = config.namespace if namespace is None else namespace
        if not self.namespace:
            raise ConfigError("namespace must not be empty; leave it out to get 'work'")
        self.plugins: list[object] = config.load_plugins() if plugins is None else list(plugins)
        hooks_of(self.plugins)
        self.clock = clock
        self.tasks: dict[str, Task[Any, Any]] = {}
        self._opened: dict[str, Backend] = {}
        self._opening = threading.Lock()

    @property
    def url(self) -> str | Backend:
        """Where jobs are stored."""
        return self._url

    @property
    def backend(self) -> Backend:
        """The backend, opened at first use and then shared by everything in this process."""
        return self._open(self.url)

    @property
    def stores(self) -> Backend:
        """The backend of once-keys and semaphores."""
        return self._open(self.url if self._stores_url is None else self._stores_url)

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        queue: str | None = None,
        plugins: Sequence[object] = (),
        concurrency: int | None = None,
        lease: float = 60.0,
        timeout: float | None = None,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        queue: str | None = None,
        plugins: Sequence[object] = (),
        concurrency: int | None = None,
        lease: float = 60.0,
        timeout: float | None = None,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> Any:
        """Make a function a task.

        Args:
            function: what a job of this task runs; sync or async.
            name: unique within the app; the function's name by default.
            queue: the queue id of its jobs; the task's name by default. Tasks may share a queue.
            plugins: middleware of this task, inside that of the app.
            concurrency: how many jobs of its queue run at once in a process.
            lease: for how many seconds a job is leased at a time.
            timeout: after how many seconds a run is ended with ``JobTimeout``.
            backoff: how long to wait after a failure.

        Raises:
            ConfigError: for a name that is taken, an option out of range, or a function that cannot
                run as a job: a generator, or a method that would lack its ``self``.
        """
        hooks_of(plugins)
        running = TaskOptions(tuple(plugins), concurrency, lease, timeout, backoff)

        def register(function: Callable[P, R]) -> Task[P, R]:
            task_name = task_name_of(function) if name is None else name
            if task_name in self.tasks:
                raise ConfigError(
                    f"task {task_name!r} is defined twice; give one of them name='...'"
                )
            queue_id = task_name if queue is None else queue
            task = Task(self, function, task_name, queue_id, running)
            self.tasks[task_name] = task
            return task

        return register if function is None else register(function)

    def queue(self, queue_id: str, *, plugins: Sequence[object] = ()) -> Queue:
        """Return the queue *queue_id* with the app's middleware, and *plugins* inside it."""
        if not queue_id:
            raise ConfigError("a queue's id must not be empty")
        name = QueueName(self.namespace, queue_id)
        return Queue(self.backend, name, [*self.plugins, *plugins], stores=self.stores)

    def override(self, *, url: str | None = None, namespace: str | None = None) -> None:
        """Use another URL or namespace from now on, as ``work worker --url`` does.

        What was opened before is closed.
        """
        self.close()
        self._url = url or self._url
        self.namespace = namespace or self.namespace

    def close(self) -> None:
        """Close what the app has opened; it opens again at its next use."""
        with self._opening:
            for backend in self._opened.values():
                backend.close()
            self._opened.clear()
        for task in self.tasks.values():
            vars(task).pop("queue", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, url: str | Backend) -> Backend:
        if not isinstance(url, str):
            return url
        found = self._opened.get(url)
        if found is not None:
            return found
        with self._opening:
            if url not in self._opened:
                self._opened[url] = open_backend(url)
            return self._opened[url]
