"""The lane of async handlers: one event loop for all, fed in batches by a fetching thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from work_core.errors import JobTimeout
from work_core.worker.context import running
from work_core.worker.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from work_core.job import Job
    from work_core.middleware import HandleContext
    from work_core.worker.handler import Handler

    Call = Callable[[Job, HandleContext], Any]

SETTLE = 0.003
"""Seconds after which acks are sent on their own while the fetcher waits for jobs."""

ROOM = 0.005
"""Seconds for which the fetcher waits for room for a good batch before it takes a small one."""


BLOCKING_THREADS = 100
"""How many sync handlers may run at once on queues that have async ones, too."""


def with_timeout(call: Call, timeout: float) -> Call:
    """Return coroutine function *call* cancelled after *timeout* seconds, with ``JobTimeout``."""

    async def run(job: Job, context: HandleContext) -> Any:
        try:
            async with asyncio.timeout(timeout) as limit:
                return await call(job, context)
        except TimeoutError:
            if limit.expired():
                raise JobTimeout(f"job {job.id} ran longer than {timeout:g} s") from None
            raise

    return run


def in_thread(call: Call) -> Call:
    """Return sync *call* as a coroutine function that runs it on a thread."""

    async def run(job: Job, context: HandleContext) -> Any:
        return await asyncio.to_thread(call, job, context)

    return run


class LoopThread:
    """An event loop in a thread of its own, shared by the async lanes of a worker."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # Settling has threads of its own: the loop's executor may be full of blocking handlers.
        self.settlers = ThreadPoolExecutor(2, "work-settle")
        self._blocking = ThreadPoolExecutor(BLOCKING_THREADS, "work-blocking")
        self.loop.set_default_executor(self._blocking)
        self._thread = threading.Thread(target=self._serve, name="work-loop", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run *function* in the loop, soon."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run *coroutine* in the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def close(self) -> None:
        """Cancel what is left and end the thread."""
        self.call(self.loop.stop)
        self._thread.join(5.0)
        self.settlers.shutdown(wait=True)
        self._blocking.shutdown(wait=False, cancel_futures=True)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()


class LoopLane(Lane):
    """Run async handlers, up to ``concurrency`` of them at once, in one event loop."""

    def __init__(self, *arguments: Any, loop: LoopThread, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._loop = loop
        # By context, not by job: one that lost its lease may be here a second time.
        self._running: dict[int, tuple[Job, HandleContext, asyncio.Task[None]]] = {}
        self._begun = 0
        self._finished = 0
        self._room = threading.Event()
        self._waiting = False
        self._flush_planned = False
        self._wanted_room = max(1, min(50, self.concurrency // 4))
        self._thread = threading.Thread(
            target=self._fetch_for_ever, name=f"work-{self.queue.queue_id}-fetch", daemon=True
        )

    @property
    def finished(self) -> int:
        """How many runs have ended."""
        return self._finished

    def start(self) -> None:
        """Start fetching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop fetching; what was fetched is running already."""
        self.stopping.set()
        self._room.set()

    def join(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds for the running jobs; tell whether all have ended."""
        deadline = time.monotonic() + timeout
        self._thread.join(timeout)
        while self._in_flight() and time.monotonic() < deadline:
            self._room.clear()
            if self._in_flight():
                self._room.wait(min(0.1, max(0.0, deadline - time.monotonic())))
        self._settlement.flush()
        return not self._in_flight() and not self._thread.is_alive()

    def abandon(self) -> None:
        """Cancel the jobs that still run and give them back."""
        left = list(self._running.values())
        for _, context, task in left:
            context.lease_lost = True
            self._loop.call(task.cancel)
        self._settlement.give_back([job for job, _, _ in left])

    def busy(self) -> bool:
        """Tell whether a job runs or has not been settled."""
        return bool(self._in_flight() or self._settlement.pending)

    def run_one(self) -> bool:
        """Fetch and run one job; tell whether there was one."""
        jobs = self.fetch(1, 0.0)
        for job in jobs:
            self._begun += 1
            self._loop.run(self._run_alone(job))
        self._settlement.flush()
        return bool(jobs)

    # -- the fetching thread ----------------------------------------------------------------------

    def _fetch_for_ever(self) -> None:
        try:
            while not self.stopping.is_set():
                if self._has_room():
                    self._fetch_batch()
        except Exception as error:  # noqa: BLE001 - told to whoever runs the worker
            self.failure = error
            self.on_empty()
        finally:
            self._settlement.flush()

    def _has_room(self) -> bool:
        free = self.concurrency - self._in_flight()
        if free >= self._wanted_room:
            return True
        self._room.clear()
        if self._room.wait(ROOM):
            return False
        if self._settlement.pending:
            self._settlement.flush()
        return self.concurrency - self._in_flight() > 0

    def _fetch_batch(self) -> None:
        free = self.concurrency - self._in_flight()
        self._waiting = True
        jobs = self.fetch(min(free, self._prefetch.next_limit(free)), self.wait)
        self._waiting = False
        if not jobs:
            return
        if self.stopping.is_set():
            self._settlement.give_back(jobs)
            return
        self._begun += len(jobs)
        self._loop.call(self._begin, jobs)

    def _in_flight(self) -> int:
        return self._begun - self._finished

    # -- in the event loop ------------------------------------------------------------------------

    def _begin(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._begin_one(job)

    def _begin_one(self, job: Job) -> asyncio.Task[None]:
        handler = self.dispatch(job)
        context = self._context(job, handler)
        run = self._run(job, handler, context)
        task = self._loop.loop.create_task(run, context=contextvars.Context())
        self._running[id(context)] = (job, context, task)
        return task

    async def _run_alone(self, job: Job) -> None:
        await self._begin_one(job)

    async def _run(self, job: Job, handler: Handler, context: HandleContext) -> None:
        running.set((job, context))
        try:
            await handler.run(job, context)
        except BaseException as error:  # noqa: BLE001 - the outcome decides, whatever it was
            if not (context.lease_lost and isinstance(error, asyncio.CancelledError)):
                self._failed(job, handler, context, error)
        else:
            self._succeeded(job, handler, context)
        finally:
            self._running.pop(id(context), None)
            self._settle_soon()

    def _settle_soon(self) -> None:
        self._finished += 1
        self._ended()
        if not self._room.is_set():
            in_flight = self._in_flight()
            if not in_flight or self.concurrency - in_flight >= self._wanted_room:
                self._room.set()
        if self._waiting and not self._flush_planned:
            self._flush_planned = True
            self._loop.loop.call_later(SETTLE, self._flush_in_thread)

    def _flush_in_thread(self) -> None:
        self._flush_planned = False
        if self._settlement.pending:
            self._loop.settlers.submit(self._settlement.flush)
