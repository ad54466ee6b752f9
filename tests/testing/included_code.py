"""Copy code from the example into the docs: ``python tests/testing/included_code.py``.

A code block that follows ``<!-- include: path -->`` holds that file; one that follows
``<!-- include: path name ... -->`` holds what these names are in it: a function, a class, a method
(``Class.method``) or an assignment.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "write-a-backend.md", ROOT / "docs" / "write-a-middleware.md"]

_BLOCK = re.compile(
    r"<!-- include: (?P<path>\S+)(?P<names>[^>]*) -->\n```(?P<language>\w+)\n.*?\n```\n", re.DOTALL
)


def with_code_included(page: str) -> str:
    """Return *page* with each included block as the code is now."""
    return _BLOCK.sub(_block, page)


def _block(match: re.Match[str]) -> str:
    path, names = match["path"], match["names"].split()
    text = (ROOT / path).read_text()
    code = "\n\n\n".join(_definition(text, name, path) for name in names) or text
    heading = " ".join([path, *names])
    return f"<!-- include: {heading} -->\n```{match['language']}\n{code.strip()}\n```\n"


def _definition(text: str, name: str, path: str) -> str:
    body: list[ast.stmt] = ast.parse(text).body
    found: ast.stmt | None = None
    for part in name.split("."):
        found = next((node for node in body if _defines(node, part)), None)
        if found is None:
            raise LookupError(f"{path} has no {name}")
        body = getattr(found, "body", [])
    assert found is not None
    decorators = getattr(found, "decorator_list", [])
    first = min([found.lineno, *(each.lineno for each in decorators)])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : found.end_lineno]))


def _defines(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(each, ast.Name) and each.id == name for each in node.targets)
    return getattr(node, "name", None) == name


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_code_included(page.read_text()))
