"""The hooks that a plug-in may implement; each docstring is the contract.

A method that wraps is a generator marked ``@hookimpl(wrapper=True)`` that yields once: what it does
before the ``yield`` runs on the way in, the value of ``yield`` is the inner result, and what it
returns goes out. An implementation may take fewer arguments than its specification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from work_core.backend import Backend
    from work_core.job import Job, QueueName
    from work_core.middleware import DequeueRequest, EnqueueBatch, HandleContext
    from work_core.retry import Outcome
    from work_core.worker import Worker

hookspec = pluggy.HookspecMarker("work")
hookimpl = pluggy.HookimplMarker("work")
"""Mark a method of a plug-in as an implementation of a hook."""


@hookspec(firstresult=True)
def work_open_backend(url: str) -> Backend | None:
    """Open the backend that *url* names. Asked only of the plug-in that owns the scheme.

    Validate the whole URL here and raise ``InvalidURL`` for what is wrong with it; do not wait for
    a server that may come up later: connect at the first call.
    """


@hookspec(firstresult=True)
def work_backend_class(scheme: str) -> type[Backend] | None:
    """Return the class that ``work_open_backend`` opens for *scheme*.

    Tools list by it what a backend can do, without opening one.
    """


@hookspec(firstresult=True)
def work_enqueue(batch: EnqueueBatch) -> list[Job] | None:
    """Wrap the storing of a batch of jobs. Runs in the program that enqueues.

    Before it yields a wrapper may change ``batch.jobs`` and each job in it, or drop a job (noting
    it in ``batch.duplicates`` when an earlier job stands for it). The result is the jobs that were
    stored.
    """


@hookspec(firstresult=True)
def work_dequeue(request: DequeueRequest) -> list[Job] | None:
    """Wrap the fetching of jobs for one queue. Runs in the worker, once per fetch, not per job.

    Before it yields a wrapper may lower ``request.limit`` (0 skips the round) or change
    ``request.lease``. It may run while a fetch waits for jobs: keep no lock across the ``yield``.
    """


@hookspec(firstresult=True)
def work_handle(job: Job, context: HandleContext) -> object:
    """Wrap the handler of one job. Runs around sync and async handlers alike: never block in it.

    The value of ``yield`` is what the handler returned; what the handler raised is raised there.
    Raise ``Discard``, ``Snooze`` or ``LeaveLeased`` to choose the outcome. An object whose wrapper
    keeps state must be safe for several threads.
    """


@hookspec
def work_worker_started(worker: Worker) -> None:
    """Act when a worker has its tasks and is about to fetch; refuse here what cannot work.

    An error raised here stops the worker before it takes a job: this is the place to ask for
    capabilities.
    """


@hookspec
def work_worker_stopped(worker: Worker) -> None:
    """Act when a worker has run its last job and given the rest back."""


@hookspec
def work_job_finished(job: Job, outcome: Outcome, context: HandleContext) -> None:
    """Act on the decided outcome of each job, in the thread that ran it, before it is stored.

    The outcome stands in the job's fields already: a plug-in may add to ``last_error``.
    """


@hookspec(firstresult=True)
def work_metrics_page(backend: Backend, queues: list[QueueName]) -> tuple[str, bytes] | None:
    """Return content type and body of the metrics page that ``work worker --metrics-port`` serves.

    With several processes only the supervisor is asked, and answers for all of them.
    """


@hookspec
def work_commands(cli: click.Group) -> None:
    """Add sub-commands to the ``work`` command."""


@hookspec
def work_jobs_returned(queue: QueueName, jobs: list[Job]) -> None:
    """Act on jobs that were fetched but given back without being handled.

    A plug-in that counts jobs between its ``work_dequeue`` and its ``work_handle`` stops counting
    these.
    """


WRAPPED_HOOKS = ("work_enqueue", "work_dequeue", "work_handle")
"""The hooks that take wrappers only; the thing they wrap is the project's own."""
