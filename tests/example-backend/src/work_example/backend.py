"""A job is a file: its name says when it may be leased and by whom; to lease is to rename."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from work_core.backend import Backend
from work_core.capabilities import JobFinder
from work_core.codec import decode_job, encode_job
from work_core.errors import BackendClosed, BackendUnavailable, InvalidRecord
from work_core.job import Job, Lease, QueueName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POLL = 0.02


class Name(NamedTuple):
    """A file name; sorting names sorts jobs by time, then by id (its first 75 bytes)."""

    visible_at: str
    id: str
    digest: str
    deliveries: str = "0"
    token: str = "free"

    def __str__(self) -> str:
        return ".".join((*self, "job"))


class Folder(dict[str, Name]):
    """The files of one queue by the digest of the job's id; made and changed under its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        files = [entry.name for entry in os.scandir(path) if entry.name.endswith(".job")]
        names = [Name(*file.split(".")[:-1]) for file in files]
        super().__init__({name.digest: name for name in names})

    def held(self, job: Job) -> Name | None:
        """Return the name of *job* if *job* holds its lease."""
        name = self.get(_digest(job.id))
        return name if name and job.lease and job.lease.token == name.token else None

    def rename(self, name: Name, **changes: str) -> None:
        """Lease, extend or free a job in one atomic step."""
        new = self[name.digest] = name._replace(**changes)
        (self.path / str(name)).rename(self.path / str(new))

    def put(self, job: Job, written: Path) -> None:
        """Move a written record into place; a crash on the way leaves the old job or the new."""
        digest = _digest(job.id)
        new = Name(_stamp(job.enqueued_at), job.id.encode().hex()[:150], digest)
        if digest in self:
            self.rename(self[digest], **new._asdict())
        self[digest] = new
        written.replace(self.path / str(new))

    def remove(self, job_id: str) -> bool:
        """Remove a job, and tell whether it was there."""
        name = self.pop(_digest(job_id), None)
        if name:
            (self.path / str(name)).unlink()
        return name is not None


class ExampleBackend(Backend, JobFinder):
    """Keep each job as a file below *root*; with *sync* jobs survive a power cut as well."""

    def __init__(self, root: Path, *, sync: bool = True) -> None:
        self._root = root
        self._sync = sync
        self._closed = False
        self._wakes = 0

    def enqueue(self, queue: QueueName, jobs: Sequence[Job]) -> None:
        """Write all records, then move them into place."""
        with self._folder(queue) as folder:
            self._store(folder, jobs)

    def dequeue(
        self, queue: QueueName, limit: int, *, at: datetime, lease: float, wait: float = 0.0
    ) -> list[Job]:
        """Look every few milliseconds: a directory does not tell when a file comes."""
        start, wakes, waited = time.monotonic(), self._wakes, 0.0
        while True:
            now = at + timedelta(seconds=waited)
            with self._folder(queue) as folder:
                jobs = self._lease(queue, folder, limit, now, now + timedelta(seconds=lease))
            if jobs or limit <= 0 or waited >= wait:
                return jobs
            time.sleep(min(_POLL, wait - waited))
            if self._wakes != wakes:
                return []
            waited = time.monotonic() - start

    def ack(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Remove the files of those that hold their lease; what is left then is lost."""
        with self._folder(queue) as folder:
            for job in jobs:
                if folder.held(job):
                    folder.remove(job.id)
            return [job for job in jobs if _digest(job.id) in folder]

    def reschedule(self, queue: QueueName, jobs: Sequence[Job]) -> list[Job]:
        """Store those that hold their lease again."""
        with self._folder(queue) as folder:
            held = [job for job in jobs if folder.held(job)]
            self._store(folder, held)
        return [job for job in jobs if job not in held]

    def extend(self, queue: QueueName, jobs: Sequence[Job], *, until: datetime) -> list[Job]:
        """Rename those that hold their lease to its new end."""
        lost = []
        with self._folder(queue) as folder:
            for job in jobs:
                if name := folder.held(job):
                    folder.rename(name, visible_at=_stamp(until))
                    job.lease = Lease(until, name.token)
                else:
                    lost.append(job)
        return lost

    def wake(self) -> None:
        """Make waiting calls return."""
        self._wakes += 1

    def close(self) -> None:
        """Refuse later calls; there is nothing to release."""
        self._closed = True
        self.wake()

    def find(self, queue: QueueName, ids: Sequence[str]) -> list[Job | None]:
        """Read the files of *ids*."""
        with self._folder(queue) as folder:
            names = [folder.get(_digest(job_id)) for job_id in ids]
            return [self._read(queue, folder, name) if name else None for name in names]

    def delete(self, queue: QueueName, ids: Sequence[str]) -> list[bool]:
        """Remove the files of *ids*, leased or not."""
        with self._folder(queue) as folder:
            return [folder.remove(job_id) for job_id in ids]

    @contextmanager
    def _folder(self, queue: QueueName) -> Iterator[Folder]:
        # The lock keeps out threads and processes alike, and a killed process lets go of it.
        if self._closed:
            raise BackendClosed("this backend was closed; open another")
        path = self._root.joinpath(*map(_directory, queue))
        try:
            path.mkdir(parents=True, exist_ok=True)
            with (path / "lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield Folder(path)
        except OSError as error:
            raise BackendUnavailable(f"cannot use {path}: {error.strerror}") from error

    def _store(self, folder: Folder, jobs: Sequence[Job]) -> None:
        written = [folder.path / f"{secrets.token_hex(8)}.new" for _ in jobs]
        for job, path in zip(jobs, written, strict=True):
            path.write_bytes(encode_job(job))
        for job, path in zip(jobs, written, strict=True):
            folder.put(job, path)
        if jobs and self._sync:
            os.sync()

    def _lease(
        self, queue: QueueName, folder: Folder, limit: int, at: datetime, until: datetime
    ) -> list[Job]:
        now, end, token = _stamp(at), _stamp(until), secrets.token_hex(8)
        jobs: list[Job] = []
        for name in sorted(folder.values()):
            if len(jobs) >= limit or name.visible_at > now:
                break
            if job := self._read(queue, folder, name):
                job.deliveries, job.lease = int(name.deliveries) + 1, Lease(until, token)
                count = str(job.deliveries)
                folder.rename(name, visible_at=end, deliveries=count, token=token)
                jobs.append(job)
        return jobs

    def _read(self, queue: QueueName, folder: Folder, name: Name) -> Job | None:
        path = folder.path / str(name)
        try:
            return decode_job(path.read_bytes())
        except InvalidRecord as error:
            path.rename(path.with_suffix(".invalid"))
            self.report_invalid(queue, path.name, error)
            return None


def _stamp(moment: datetime) -> str:
    return f"{max(0, (moment - _EPOCH) // timedelta(microseconds=1)):020d}"


def _digest(text: str) -> str:
    # File names have 255 bytes at most, and no slash: the digest stands for the id.
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _directory(text: str) -> str:
    readable = "".join(letter if letter.isalnum() else "_" for letter in text)
    return f"{readable[:50]}-{_digest(text)}"
