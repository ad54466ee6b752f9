"""What every document promises is there: commands, options, links, packages; code that is code."""

from __future__ import annotations

import ast
import json
import re
import shlex
import textwrap
import tomllib
from itertools import chain
from typing import TYPE_CHECKING

import click
import pytest
from tests.docs.blocks import DOCUMENTS, ROOT, blocks_of

from work_core.cli import cli
from work_core.cli.commands.worker import worker
from work_core.config import KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.blocks import Block

BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
COMMANDS = [(block.place, command) for block in BLOCKS for command in block.commands]
IDS = [f"{place} {command}" for place, command in COMMANDS]
PACKAGES = {folder.name for folder in ROOT.glob("work-*")}


@pytest.mark.parametrize("block", BLOCKS, ids=[block.place for block in BLOCKS])
def test_a_block_is_in_its_language(block: Block) -> None:
    """Python compiles, TOML and JSON parse; no block is in a language that nothing checks."""
    language, text, place = block
    if language == "python":
        ast.parse(textwrap.dedent(text), place)
    elif language == "toml":
        tomllib.loads(text)
    elif language == "json":
        json.loads(text)
    else:
        assert language in {"console", "go", "sql", "yaml", ""}, place


@pytest.mark.parametrize(("place", "command"), COMMANDS, ids=IDS)
def test_a_command_exists(place: str, command: str) -> None:
    """``work`` takes what is shown, make has the target, pip gets a package of ours."""
    for part in re.split(r"\s\|\s|\s&&\s", command):
        program, *arguments = shlex.split(re.sub(r"^(\w+=\S+ )+|\s#.*$|\s<.*$", "", part))
        if program == "work":
            _parse(arguments)
        elif program == "make":
            assert f"\n{arguments[0]}:" in (ROOT / "Makefile").read_text(), place
        elif program == "pip":
            names = {re.split(r"[\[/]", word.removeprefix("./"))[0] for word in arguments[1:]}
            assert names <= PACKAGES, place


def _parse(arguments: list[str]) -> None:
    """Parse *arguments* as ``work`` does, without running the command."""
    group: click.Group = cli
    name = "work"
    with click.Context(group, info_name=name) as context:
        while True:
            found = group.get_command(context, arguments[0]) if arguments else None
            if found is None:
                assert not arguments or arguments[0].startswith("-"), arguments
                return
            name, *arguments = arguments
            if not isinstance(found, click.Group):
                found.make_context(name, arguments, parent=context)
                return
            group = found


@pytest.mark.parametrize("document", DOCUMENTS, ids=[each.name for each in DOCUMENTS])
def test_a_link_leads_somewhere(document: Path) -> None:
    """Relative links point to files of this repository."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (document.parent / target).exists(), target


def test_every_worker_option_is_described() -> None:
    """docs/configuration.md has each option of ``work worker``, and each key of the file."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    shown = [option for option in worker.params if not getattr(option, "hidden", False)]
    names = chain.from_iterable(option.opts for option in shown if isinstance(option, click.Option))

    missing = [name for name in [*names, *KEYS] if f"`{name}`" not in page and name != "--verbose"]

    assert not missing
