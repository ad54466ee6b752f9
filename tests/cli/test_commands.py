"""``work`` and its small sub-commands: help, backends, init, status."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from work_core.config import load_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome


def test_help_names_all_commands_and_loads_no_package(work: Callable[..., Outcome]) -> None:
    """``work --help`` lists what is installed from metadata alone."""
    done = work("--help")

    for name in ("backends", "enqueue", "health", "init", "status", "worker", "dead", "sql"):
        assert f"\n  {name} " in done.out
    script = (
        "import sys\nfrom work_core.cli import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        "loaded = {'work_sql', 'work_middleware', 'sqlalchemy', 'redis', 'rich', 'asyncio'}\n"
        "assert not loaded & set(sys.modules), loaded & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_options_stand_before_and_after_the_command(work: Callable[..., Outcome]) -> None:
    """``--url`` and the others are understood everywhere, in commands of other packages too."""
    for arguments in (["--namespace", "shop", "status"], ["status", "--namespace", "shop"]):
        assert "namespace 'shop'" in work(*arguments).out
    assert "--namespace" in work("dead", "list", "--help").out


def test_the_version_is_that_of_the_distribution(work: Callable[..., Outcome]) -> None:
    """``work --version`` tells what is installed."""
    assert work("--version").out == "work, version 0.1.0\n"


def test_backends_lists_schemes_with_distribution_and_capabilities(
    work: Callable[..., Outcome],
) -> None:
    """``work backends`` shows who offers a scheme and what it can do."""
    lines = work("backends").out.splitlines()

    assert lines[0].split() == ["SCHEME", "FROM", "CAPABILITIES"]
    sqlite = next(line for line in lines if line.startswith("sqlite://"))
    assert "work-sql 0.1.0" in sqlite
    assert "TransactionalEnqueue" in sqlite
    assert any(line.split() == ["max-retries", "work-middleware", "0.1.0"] for line in lines)


def test_every_installed_backend_loads(work: Callable[..., Outcome]) -> None:
    """None of our own plug-ins is broken."""
    assert "broken" not in work("backends").out


def test_init_writes_settings_that_load(work: Callable[..., Outcome]) -> None:
    """``work init`` writes a file whose plug-ins can be made at once."""
    assert work("init").code == 0

    config = load_config()
    assert [each.name for each in config.plugins] == [
        "logging",
        "dead-letters",
        "max-retries",
        "heartbeat",
    ]
    assert config.plugins[2].options == {"limit": 25}
    assert len(config.load_plugins()) == 4


def test_init_never_overwrites(work: Callable[..., Outcome], project: Path) -> None:
    """An existing file stays as it is."""
    (project / "work.toml").write_text("# mine\n")

    done = work("init")

    assert (done.code, done.err) == (
        2,
        "work: work.toml is there already; delete it first to start over\n",
    )
    assert (project / "work.toml").read_text() == "# mine\n"


def test_status_counts_each_queue(work: Callable[..., Outcome]) -> None:
    """``work status`` shows ready and scheduled jobs of all queues, or of those that are named."""
    work("enqueue", "send", "--json", "{}")
    work("enqueue", "send", "--json", "{}", "--delay", "60")
    work("enqueue", "resize", "--json", "{}")

    heading, *rows = work("status").out.splitlines()

    assert heading.split() == ["QUEUE", "READY", "SCHEDULED", "LATENCY"]
    assert [row.split()[:3] for row in rows] == [["resize", "1", "0"], ["send", "1", "1"]]
    assert [row.split()[0] for row in work("status", "send").out.splitlines()[1:]] == ["send"]


def test_status_as_json(work: Callable[..., Outcome]) -> None:
    """``--json`` prints an object per queue, for scripts."""
    work("enqueue", "send", "--json", "{}")

    (line,) = work("status", "--json").out.splitlines()

    found = json.loads(line)
    assert found.pop("latency") >= 0
    assert found == {
        "namespace": "work",
        "queue": "send",
        "ready": 1,
        "scheduled": 0,
        "exact": True,
    }


def test_status_without_jobs_says_where_it_looked(work: Callable[..., Outcome]) -> None:
    """An empty store names itself, without its password."""
    done = work("status")

    assert done.out == "no jobs in namespace 'work' of sqlite:///work.db\n"
