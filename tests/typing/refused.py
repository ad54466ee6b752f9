"""What a type checker must refuse: each line marked here is an error, and nothing else is.

The marks are ``type: ignore`` comments with their codes: a strict checker that found no error at
one of them would complain about the mark.
"""

from __future__ import annotations

from work_core import App, Job

app = App("memory://")


@app.task
def send(to: str, n: int = 1, *, urgent: bool = False) -> int:
    """Take a few arguments."""
    return n if to and urgent else 0


@app.task(queue="slow")
async def fetch(url: str) -> bytes:
    """Take one argument."""
    return url.encode()


def enqueue() -> None:
    """Refuse a wrong argument of enqueue."""
    send.enqueue(1)  # type: ignore[arg-type]
    send.enqueue("a", "b")  # type: ignore[arg-type]
    send.enqueue("a", n="b")  # type: ignore[arg-type]
    send.enqueue()  # type: ignore[call-arg]
    send.enqueue("a", 1, True)  # type: ignore[call-arg]
    send.enqueue("a", unknown=1)  # type: ignore[call-arg]
    send.enqueue("a", delay=5)  # type: ignore[call-arg]
    fetch.enqueue(b"a")  # type: ignore[arg-type]


def options() -> None:
    """Refuse a wrong option, and a wrong argument after options."""
    send.options(delay=5).enqueue(1)  # type: ignore[arg-type]
    send.options(delay=5).enqueue("a", "b")  # type: ignore[arg-type]
    send.options(delay=5).enqueue()  # type: ignore[call-arg]
    send.options(id="x").enqueue("a", unknown=1)  # type: ignore[call-arg]
    send.options(delay="5")  # type: ignore[arg-type]
    send.options(at="tomorrow")  # type: ignore[arg-type]
    send.options(id=5)  # type: ignore[arg-type]
    send.options(priority=5)  # type: ignore[call-arg]


async def aenqueue() -> None:
    """Refuse a wrong argument of the async ways."""
    await send.aenqueue(1)  # type: ignore[arg-type]
    await send.aenqueue()  # type: ignore[call-arg]
    await send.aenqueue("a", unknown=1)  # type: ignore[call-arg]
    await send.options(delay=5).aenqueue(1)  # type: ignore[arg-type]
    await fetch.aenqueue(5)  # type: ignore[arg-type]
    await fetch()  # type: ignore[call-arg]


def calls() -> None:
    """Refuse a wrong plain call, and a wrong option of a task or a job."""
    send(1)  # type: ignore[arg-type]
    app.task(lease="long")  # type: ignore[call-overload]
    app.task(5)  # type: ignore[call-overload]
    Job("text")  # type: ignore[arg-type]
