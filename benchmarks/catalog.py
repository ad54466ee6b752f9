"""Who is measured: each library, where it stores jobs, and the command of its worker."""

from __future__ import annotations

from dataclasses import dataclass

LABELS = {"redis": "Redis", "postgresql": "PostgreSQL", "sqlite": "SQLite", "memory": "memory"}


@dataclass(frozen=True)
class Peer:
    """A library as it is measured.

    Attributes:
        name: unique.
        stores: where it can keep jobs, of those measured.
        worker: the command that starts one worker process; ``{bin}`` is its environment's folder of
            programs, ``{concurrency}`` how many jobs may run at once.
        requirements: what to install; nothing for ours, which runs in the project's environment.
        styles: the handlers it is measured with, its most natural one first.
        module: under ``benchmarks/peers``; the name by default.
        note: what a reader must know about the row.
        environment: the name of the entry whose environment it shares; its own by default.
        drain_only: measured only for what a worker costs per job.
    """

    name: str
    stores: tuple[str, ...]
    worker: str
    requirements: tuple[str, ...] = ()
    styles: tuple[str, ...] = ("sync",)
    module: str = ""
    environment: str = ""
    note: str = ""
    drain_only: bool = False

    @property
    def is_ours(self) -> bool:
        return self.module in ("ours", "floor")

    @property
    def is_node(self) -> bool:
        return self.worker.startswith("node ")

    @property
    def home(self) -> str:
        return self.environment or self.name


_PEERS = "benchmarks.peers"
_REDIS = ("redis",)
_BOTH = ("sync", "async")

CATALOG = (
    Peer(
        "work",
        ("redis", "postgresql", "sqlite", "memory"),
        f"{{bin}}/work worker {_PEERS}.ours:app",
        styles=_BOTH,
        module="ours",
    ),
    Peer(
        "floor",
        ("redis", "postgresql", "sqlite"),
        f"{{bin}}/python -m {_PEERS}.floor",
        module="floor",
        note="the backend alone: exchange in batches of 100, no worker, no middleware",
        drain_only=True,
    ),
    Peer(
        "dramatiq",
        _REDIS,
        f"{{bin}}/dramatiq {_PEERS}.dramatiq -p 1 -t {{concurrency}} --skip-logging",
        ("dramatiq[redis]", "hiredis"),
        styles=_BOTH,
    ),
    Peer(
        "dramatiq 2x8",
        _REDIS,
        f"{{bin}}/dramatiq {_PEERS}.dramatiq -p 2 -t 8 --skip-logging",
        ("dramatiq[redis]", "hiredis"),
        module="dramatiq",
        environment="dramatiq",
        note="two processes",
        drain_only=True,
    ),
    Peer(
        "celery",
        _REDIS,
        f"{{bin}}/celery -A {_PEERS}.celery worker -P threads -c {{concurrency}} -l warning",
        ("celery[redis]", "hiredis"),
    ),
    Peer("rq", _REDIS, "{bin}/rq worker -q -u {url}", ("rq", "hiredis"), note="forks per job"),
    Peer(
        "rq simple",
        _REDIS,
        "{bin}/rq worker -q -u {url} -w rq.SimpleWorker",
        ("rq", "hiredis"),
        module="rq",
        environment="rq",
        note="one job at a time, no fork",
        drain_only=True,
    ),
    Peer(
        "huey",
        ("redis", "sqlite"),
        f"{{bin}}/huey_consumer {_PEERS}.huey.huey -w {{concurrency}} -q",
        ("huey", "redis", "hiredis"),
    ),
    Peer(
        "taskiq",
        _REDIS,
        f"{{bin}}/taskiq worker {_PEERS}.taskiq:broker --workers 1 --log-level WARNING"
        " --max-async-tasks {concurrency} --max-threadpool-threads {concurrency}",
        ("taskiq", "taskiq-redis", "uvloop", "hiredis"),
        styles=("async", "sync"),
        note="on a stream, with acknowledgements",
    ),
    Peer(
        "saq",
        ("redis", "postgresql"),
        f"{{bin}}/saq {_PEERS}.saq.settings",
        ("saq[redis,hiredis,postgres]", "psycopg[binary,pool]"),
        styles=("async",),
    ),
    Peer(
        "arq",
        _REDIS,
        f"{{bin}}/arq {_PEERS}.arq.WorkerSettings --custom-log-dict {_PEERS}.arq.QUIET",
        ("arq", "hiredis"),
        styles=("async",),
    ),
    Peer(
        "repid",
        _REDIS,
        f"{{bin}}/python -m {_PEERS}.repid",
        ("repid[redis]", "typing-extensions", "hiredis", "uvloop"),
        styles=("async",),
    ),
    Peer(
        "streaq",
        _REDIS,
        f"{{bin}}/streaq run {_PEERS}.streaq:worker",
        ("streaq", "uvloop"),
        styles=("async",),
    ),
    Peer(
        "bullmq",
        _REDIS,
        "node {peers}/bullmq.cjs",
        ("bullmq", "ioredis"),
        styles=("async",),
        note="Node.js",
    ),
    Peer(
        "procrastinate",
        ("postgresql",),
        f"{{bin}}/procrastinate --app {_PEERS}.procrastinate.app worker -c {{concurrency}}"
        " --delete-jobs always",
        ("procrastinate", "psycopg[binary,pool]"),
        styles=("async",),
    ),
    Peer(
        "pgqueuer",
        ("postgresql",),
        f"{{bin}}/python -m {_PEERS}.pgqueuer",
        ("pgqueuer[asyncpg]", "uvloop"),
        styles=("async",),
    ),
    Peer(
        "graphile-worker",
        ("postgresql",),
        "node {peers}/graphile.cjs",
        ("graphile-worker",),
        styles=("async",),
        module="graphile",
        note="Node.js; local queue of 500",
    ),
)
