"""An environment per library, made on demand: each gets its newest version, whatever others pin."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.catalog import Peer

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-bench"


class NotInstalled(Exception):
    """A library cannot be installed here; the message says why."""


def programs(peer: Peer) -> Path:
    """Return the folder with the programs of *peer*."""
    return Path(sys.executable).parent if peer.is_ours else FOLDER / peer.home / "bin"


def node_modules(peer: Peer) -> Path:
    """Return the folder that Node.js looks for libraries in."""
    return FOLDER / peer.home / "node_modules"


def install(peer: Peer) -> str:
    """Install *peer* unless it is there, and return its version."""
    if peer.is_ours:
        return _python_version("work-core", Path(sys.executable))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    folder = FOLDER / peer.home
    done = folder / "installed"
    if not done.exists() or done.read_text() != repr(peer.requirements):
        (_install_node if peer.is_node else _install_python)(peer, folder)
        done.write_text(repr(peer.requirements))
    return _version(peer, folder)


def _install_python(peer: Peer, folder: Path) -> None:
    venv.create(folder, clear=True, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    _run([*pip, "install", "-q", "--disable-pip-version-check", *peer.requirements])


def _install_node(peer: Peer, folder: Path) -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotInstalled("Node.js and npm are not on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    _run(["npm", "install", "--silent", "--no-package-lock", *peer.requirements], cwd=folder)


def _version(peer: Peer, folder: Path) -> str:
    if not peer.is_node:
        return _python_version(peer.home, folder / "bin" / "python")
    package = node_modules(peer) / peer.home / "package.json"
    return str(json.loads(package.read_text())["version"])


def _python_version(distribution: str, python: Path) -> str:
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def _run(command: list[str], cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise NotInstalled(" ".join(tail) or f"{command[0]} exited with {done.returncode}")
