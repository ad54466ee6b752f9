"""The fenced blocks of a Markdown file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("work-*/README.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w/]+\.(?:py|toml))\n")
_PROGRAMS = ("work ", "make ", "pip ", "python ")


class Block(NamedTuple):
    """A fenced block: its language, its text, and where it stands."""

    language: str
    text: str
    place: str

    @property
    def file(self) -> str | None:
        """The file that the block shows, where its first line says so."""
        found = _FILE.match(self.text)
        return found[1] if found else None

    @property
    def commands(self) -> list[str]:
        """The command lines of a console block, with or without a prompt."""
        if self.language not in {"console", ""}:
            return []
        lines = [line.removeprefix("$ ").strip() for line in self.text.splitlines()]
        if self.language == "":
            return [line for line in lines if line.startswith(_PROGRAMS)]
        return [line for line in lines if line]


def blocks_of(document: Path) -> list[Block]:
    """Return the blocks of *document* in order."""
    text = document.read_text()
    name = str(document.relative_to(ROOT))
    return [
        Block(found[1], found[2], f"{name}:{text.count(chr(10), 0, found.start()) + 1}")
        for found in _BLOCK.finditer(text)
    ]
