"""What one SQL dialect owes: the statements, in rows; ``backend`` makes jobs of them.

A store knows nothing of jobs, waiting or lost leases. Its methods may raise the driver's errors,
which it names in ``errors`` and turns into a ``WorkError`` in ``translate``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from work_core.errors import WorkError
    from work_sql.doorbell import Doorbell
    from work_sql.rows import Pair, Row


class Place(NamedTuple):
    """Where a job stands in its queue."""

    due: int
    id: str


BEGINNING = Place(-(1 << 63), "")


class Fetch(NamedTuple):
    """What to lease: at most *limit* rows of queue *key*, due at *at*, from *floor* on.

    Attributes:
        until: when the lease ends.
        token: by what its holder is recognised.
    """

    key: str
    limit: int
    at: int
    until: int
    token: int
    floor: Place = BEGINNING


class Counts(NamedTuple):
    """The numbers of one queue; *oldest* is the due time of its oldest ready job."""

    ready: int
    scheduled: int
    oldest: int | None
    exact: bool


LONGEST_POLL = 0.25
"""After how many seconds a consumer looks that nobody tells of new jobs."""


class Health(NamedTuple):
    """How the tables are: numbers by name, and a sentence for each that calls for attention."""

    numbers: Mapping[str, int]
    warnings: Sequence[str] = ()


class Store(ABC):
    """The statements of one dialect. Every method is safe to call from any thread."""

    errors: tuple[type[BaseException], ...]
    """What the driver raises."""

    resolution: float = LONGEST_POLL
    """By how many seconds a waiting dequeue may be late for what another process has stored."""

    @abstractmethod
    def translate(self, error: BaseException) -> WorkError:
        """Return the ``WorkError`` that a driver's *error* means."""

    def poll(self, idle: float) -> float:
        """Return when to look again without a ring, *idle* seconds into a wait; in seconds."""
        return min(max(idle / 10, 0.01), LONGEST_POLL)

    @abstractmethod
    def upsert(self, namespace: str, key: str, rows: Sequence[Row], connection: object) -> None:
        """Insert *rows*, replacing those with the same id and voiding their leases.

        With a *connection* that is not ``None``, here and in ``remove``, run in its transaction.
        """

    @abstractmethod
    def exchange(
        self, namespace: str, pairs: Sequence[Pair], fetch: Fetch | None
    ) -> tuple[int, Sequence[Row]]:
        """Remove the rows of *pairs*, lease rows for *fetch*, and commit both at once.

        Returns how many rows were removed, and the leased rows in any order.
        """

    @abstractmethod
    def remove(self, namespace: str, pairs: Sequence[Pair], connection: object) -> int:
        """Remove the rows of *pairs* on the caller's *connection*; return how many there were."""

    @abstractmethod
    def present(self, namespace: str, ids: Sequence[str], connection: object) -> set[str]:
        """Return those of *ids* that are in the store."""

    @abstractmethod
    def rewrite(
        self, namespace: str, key: str, rows: Sequence[Row], tokens: Sequence[int]
    ) -> set[str]:
        """Overwrite each row whose lease token is still the given one; return the ids written."""

    @abstractmethod
    def prolong(self, namespace: str, pairs: Sequence[Pair], until: int) -> set[str]:
        """Set the end of the leases of *pairs*; return the ids whose token still held."""

    @abstractmethod
    def set_aside(self, namespace: str, key: str, ids: Sequence[str]) -> None:
        """Move rows that are no jobs out of queue *key*, to the key ``set_aside_key`` gives."""

    @abstractmethod
    def next_due(self, key: str, at: int) -> int | None:
        """Return when the next row becomes due or a lease ends, as far as that is cheap to tell."""

    @abstractmethod
    def find(self, namespace: str, key: str, ids: Sequence[str]) -> Sequence[Row]:
        """Return the rows of *ids* in the queue, in any order."""

    @abstractmethod
    def delete(self, namespace: str, key: str, ids: Sequence[str]) -> set[str]:
        """Delete the rows of *ids* in the queue, leased or not, and return the ids deleted."""

    @abstractmethod
    def count(self, key: str, at: int) -> Counts:
        """Count the rows of a queue, giving up where it becomes expensive."""

    @abstractmethod
    def keys(self, prefix: str) -> list[str]:
        """Return all queue keys that start with *prefix*."""

    @abstractmethod
    def page(self, key: str, after: Place, limit: int) -> Sequence[Row]:
        """Return the *limit* rows that follow place *after*, in order."""

    @abstractmethod
    def acquire(
        self, namespace: str, key: str, holder: str, *, limit: int, at: int, until: int
    ) -> bool:
        """Take or renew one of *limit* places under *key*."""

    @abstractmethod
    def release(self, namespace: str, key: str, holder: str) -> None:
        """Give the place of *holder* back."""

    @abstractmethod
    def claim(self, namespace: str, key: str, owner: str, *, at: int, until: int) -> str:
        """Claim *key* where it is free at *at*, and return who owns it now."""

    @abstractmethod
    def forget(self, namespace: str, key: str, owner: str) -> bool:
        """Free *key* if *owner* has it."""

    def announce(self, key: str, due: int) -> None:  # noqa: B027 - a commit may tell by itself
        """Tell other processes that the queue has new rows, the first one due at *due*."""

    @abstractmethod
    def watch(self, doorbell: Doorbell) -> None:
        """Ring *doorbell* from now on when another process may have changed a queue."""

    @abstractmethod
    def migrate(self) -> tuple[int, int]:
        """Bring the tables to the version of this package; return the versions before and after."""

    @abstractmethod
    def migration_script(self, after: int) -> str:
        """Return what leads from version *after* to that of this package. Needs no server."""

    @abstractmethod
    def health(self) -> Health:
        """Return how the tables are."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections; later calls raise ``BackendClosed``."""
