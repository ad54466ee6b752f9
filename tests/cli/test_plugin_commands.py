"""Sub-commands of other packages: found by entry point, loaded when they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome

GOOD = """
import click
from work_core.cli.settings import Settings, pass_settings
from work_core.hookspecs import hookimpl

print("loaded")

@click.group()
def tool():
    "Do things."

@tool.command()
@pass_settings
def where(settings: Settings):
    click.echo(settings.queue("emails"))

@hookimpl
def work_commands(cli):
    cli.add_command(tool)
"""


@pytest.fixture
def install(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution with one module that offers commands under *names*."""
    site = project / "site"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(site))

    def install(distribution: str, source: str, *names: str) -> None:
        module = distribution.replace("-", "_")
        (site / f"{module}.py").write_text(source)
        metadata = site / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n")
        entries = "".join(f"{name} = {module}\n" for name in names)
        (metadata / "entry_points.txt").write_text(f"[work_core.commands]\n{entries}")

    return install


def test_a_package_adds_a_command(
    run_work: Callable[..., Outcome], install: Callable[..., None]
) -> None:
    """The command of a stranger runs with our settings, and takes our options."""
    install("acme-tool", GOOD, "tool")

    done = run_work("tool", "where", "--namespace", "shop")

    assert (done.code, done.out) == (0, "loaded\nshop/emails\n")


def test_a_package_is_not_loaded_for_help(
    run_work: Callable[..., Outcome], install: Callable[..., None]
) -> None:
    """``work --help`` names the command and its distribution, and imports neither."""
    install("acme-tool", GOOD, "tool")

    done = run_work("--help")

    assert "(acme-tool 1.0)" in done.out
    assert "loaded" not in done.out


def test_a_broken_package_breaks_only_its_own_command(
    run_work: Callable[..., Outcome], install: Callable[..., None]
) -> None:
    """A module that does not import is named with its distribution; all else works."""
    install("acme-broken", "import nosuchmodule\n", "broken")

    done = run_work("broken")

    assert done.code == 2
    assert done.err == (
        "work: acme-broken 1.0 cannot serve the command 'broken': "
        "ModuleNotFoundError: No module named 'nosuchmodule'\n"
    )
    assert run_work("status").code == 0


def test_two_packages_with_one_name_are_refused(
    run_work: Callable[..., Outcome], install: Callable[..., None]
) -> None:
    """Nobody wins silently."""
    install("acme-tool", GOOD, "tool")
    install("other-tool", GOOD, "tool")

    done = run_work("tool", "where")

    assert done.code == 2
    assert "'tool' is claimed by acme-tool 1.0, other-tool 1.0" in done.err


def test_our_own_commands_cannot_be_taken(
    run_work: Callable[..., Outcome], install: Callable[..., None]
) -> None:
    """A package that claims a built-in name is named."""
    install("acme-tool", GOOD, "status")

    done = run_work("status")

    assert done.code == 2
    assert "acme-tool 1.0 claims the command 'status', which is built in" in done.err


def test_a_package_must_add_what_it_offers(
    run_work: Callable[..., Outcome], install: Callable[..., None]
) -> None:
    """An entry point whose hook adds another name is an error of that package."""
    install("acme-tool", GOOD, "toll")

    done = run_work("toll")

    assert done.code == 2
    assert "acme-tool 1.0 offers the command 'toll'" in done.err
