"""Every plug-in by its name in ``work.toml``: right, wrong, and not loaded unless named."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from work_core.config import load_config
from work_core.errors import ConfigError
from work_core.hooks import hooks_of
from work_core.plugins import MIDDLEWARE, load_middleware

NAMES = sorted(
    entry.name
    for entry in entry_points(group=MIDDLEWARE)
    if entry.value.startswith("work_middleware.")
)

MISTAKES = {
    "concurrency": [("limit = 0", "limit must be a whole number of 1 or more, not 0")],
    "dead-letters": [("limit = 1", "unknown option 'limit'; it takes none")],
    "discard-after": [
        ("age = -1", "age must be a number of seconds, more than 0, not -1"),
        ("age = 1, skip_stale = 'no'", "skip_stale must be true or false, not 'no'"),
        ("ages = 1", "unknown option 'ages'; did you mean 'age'?"),
    ],
    "discard-invalid-payload": [("x = 1", "unknown option 'x'; it takes none")],
    "error-history": [("keep = 0", "keep must be a whole number of 1 or more, not 0")],
    "heartbeat": [("interval = 0", "interval must be a number of seconds, more than 0, not 0")],
    "local-concurrency": [("limit = true", "limit must be a whole number of 1 or more, not True")],
    "logging": [
        (
            "success = 'LOUD'",
            "success must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'LOUD'",
        )
    ],
    "max-retries": [
        ("limit = -1", "limit must be a whole number of 0 or more, not -1"),
        ("limit = 2.5", "limit must be a whole number of 0 or more, not 2.5"),
        ("crashes = 'x'", "crashes must be a whole number of 0 or more, not 'x'"),
    ],
    "prometheus": [
        (
            "buckets = [2, 1]",
            "buckets must be a list of ascending seconds like [0.1, 1, 10], not [2, 1]",
        )
    ],
    "rate-limit": [
        ("limit = 5", "option 'period' is missing"),
        ("limit = 5, period = inf", "period must be a number of seconds, more than 0, not inf"),
        ("limit = 5, period = 1, key = ''", "key must be a text that is not empty, not ''"),
    ],
    "recovery": [("limit = 9", "limit must be a whole number of 100 or more, not 9")],
    "throttle": [
        ("interval = 0", "throttle needs interval or after_empty, in seconds; both are 0")
    ],
    "unique": [
        ("by = ['a']", "option 'period' is missing"),
        ("period = '1h'", "period must be a number of seconds, more than 0, not '1h'"),
        (
            "period = 1, by = 'user'",
            """by must be a list of argument names like ["user_id"], not 'user'""",
        ),
    ],
}


def example(name: str) -> str:
    """Return the settings that the class's docstring shows."""
    documented = inspect.getdoc(load_middleware(name)) or ""
    return textwrap.dedent(documented.partition("::\n")[2])


def plugins_of(text: str, tmp_path: Path) -> list[object]:
    """Load *text* as a settings file and make its plug-ins."""
    file = tmp_path / "work.toml"
    file.write_text(text)
    return load_config(file).load_plugins()


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_example_works(name: str, tmp_path: Path) -> None:
    """What the docstring shows can be copied into a settings file."""
    text = example(name)
    names = [
        each if isinstance(each, str) else each["name"] for each in tomllib.loads(text)["plugins"]
    ]
    assert name in names
    hooks_of(plugins_of(text, tmp_path))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [(name, *mistake) for name, mistakes in MISTAKES.items() for mistake in mistakes],
)
def test_a_mistake_is_one_clear_line(name: str, options: str, message: str, tmp_path: Path) -> None:
    """With the file, the place, the value and what was expected."""
    with pytest.raises(ConfigError) as caught:
        plugins_of(f'plugins = ["heartbeat", {{ name = "{name}", {options} }}]', tmp_path)
    assert str(caught.value).endswith(message)
    assert f"work.toml: plugins[1] ('{name}')" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_plug_in_is_mistaken_once() -> None:
    """The table of mistakes above is complete."""
    assert sorted(MISTAKES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_plug_in_has_a_module_of_its_name(name: str) -> None:
    """So that a newcomer finds it."""
    assert load_middleware(name).__module__ == f"work_middleware.{name.replace('-', '_')}"


@pytest.mark.parametrize("name", NAMES)
def test_every_plug_in_is_documented(name: str) -> None:
    """Each has a section in the guide."""
    guide = Path(__file__).parents[2] / "docs" / "middleware.md"
    assert f"\n### {name}\n" in guide.read_text()


def test_importing_the_package_imports_no_plug_in() -> None:
    """Installed is not enabled, and costs nothing."""
    script = (
        "import sys, work_middleware;"
        "print([name for name in sys.modules if name.startswith('work_middleware.')"
        " or name.startswith('prometheus') or name.startswith('work_core')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_only_prometheus_imports_prometheus_client() -> None:
    """A third-party library is its own plug-in's business."""
    modules = [
        entry.value.partition(":")[0]
        for entry in entry_points(group=MIDDLEWARE)
        if entry.name in NAMES and entry.name != "prometheus"
    ]
    script = f"import sys, {', '.join(modules)}; print('prometheus_client' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


def test_a_missing_library_says_what_to_install() -> None:
    """In place of a bare ModuleNotFoundError."""
    script = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from work_core.plugins import load_middleware\n"
        "try: load_middleware('prometheus')\n"
        "except Exception as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "try: pip install 'work-middleware[prometheus]'" in result.stdout
