"""Backends and middleware are found by name, loaded one at a time, and named when they fail.

The distributions here are what pip leaves behind: a module, and a ``.dist-info`` with entry points.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from work_core import plugins
from work_core.capabilities import JobFinder, TransactionalEnqueue
from work_core.errors import InvalidURL, PluginError, UnsupportedError
from work_core.memory import MemoryBackend
from work_core.plugins import (
    BACKENDS,
    MIDDLEWARE,
    capabilities_of,
    installed_backends,
    installed_middleware,
    load_middleware,
    open_backend,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Install = Callable[..., None]

GOOD = """
    from work_core import hookimpl
    from work_core.memory import MemoryBackend

    class {name}(MemoryBackend):
        pass

    @hookimpl
    def work_open_backend(url):
        return {name}()

    @hookimpl
    def work_backend_class(scheme):
        return {name}
"""


@pytest.fixture(autouse=True)
def _forget_loaded_backends() -> Iterator[None]:
    """Let every test find its own plug-ins."""
    plugins._backend_hooks.cache_clear()
    yield
    plugins._backend_hooks.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a distribution for the time of a test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(
        distribution: str, *, scheme: str, source: str, group: str = BACKENDS, value: str = ""
    ) -> None:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        entries = f"[{group}]\n{scheme} = {value or module}\n"
        (info / "entry_points.txt").write_text(entries, encoding="utf-8")

    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


# -- backends that work ---------------------------------------------------------------------------


def test_a_stranger_serves_a_scheme(install: Install) -> None:
    """An installed distribution's scheme opens its backend; what follows a plus is its own."""
    install("work-fine", scheme="fine", source=GOOD.format(name="FineBackend"))
    for url in ("fine://host", "fine+tls://host", "FINE://host"):
        with open_backend(url) as backend:
            assert type(backend).__name__ == "FineBackend"


def test_memory_is_built_in() -> None:
    """The memory backend needs no distribution."""
    with open_backend("memory://") as backend:
        assert isinstance(backend, MemoryBackend)


def test_two_distributions_may_share_a_module(install: Install) -> None:
    """The same value twice is one plug-in seen through two paths."""
    install("work-twin-one", scheme="twin", source=GOOD.format(name="TwinBackend"))
    install("work-twin-two", scheme="twin", source="", value="work_twin_one")
    with open_backend("twin://") as backend:
        assert type(backend).__name__ == "TwinBackend"


# -- backends that do not -------------------------------------------------------------------------


def test_a_known_scheme_that_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our own schemes name the package, and its extra, that serves them."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    with pytest.raises(PluginError, match=r"^no backend for 'sqs' is installed; try: pip install"):
        open_backend("sqs://missing")
    with pytest.raises(PluginError, match=r"pip install work-sql\[mysql\]$"):
        open_backend("mariadb://missing")


def test_an_unknown_scheme_gets_a_suggestion() -> None:
    """A slip of the pen is answered with the nearest scheme."""
    with pytest.raises(PluginError, match=r"^unknown backend 'rediz'; did you mean 'redis'\?$"):
        open_backend("rediz://localhost")


def test_a_scheme_like_none_lists_what_there_is() -> None:
    """Where nothing is near, all known schemes are listed."""
    with pytest.raises(PluginError, match=r"unknown backend 'kafka'; known: .*memory.*redis"):
        open_backend("kafka://localhost")


def test_a_url_that_is_none_is_refused() -> None:
    """What is no URL never gets as far as a plug-in."""
    with pytest.raises(InvalidURL, match="no backend URL"):
        open_backend("jobs.db")


def test_a_scheme_that_two_claim_is_refused(install: Install) -> None:
    """Both distributions are named, and neither is loaded."""
    install("work-one", scheme="both", source="raise RuntimeError('loaded')")
    install("work-two", scheme="both", source="raise RuntimeError('loaded')")
    with pytest.raises(
        PluginError, match=r"^'both' is claimed by work-one 1\.0, work-two 1\.0; uninstall all but"
    ):
        open_backend("both://")


def test_a_broken_import_is_named(install: Install) -> None:
    """A plug-in that cannot be imported is named with distribution, version and cause."""
    install("work-broken", scheme="broken", source="import nosuchmodule")
    with pytest.raises(
        PluginError,
        match=r"^work-broken 1\.0 cannot serve 'broken': ModuleNotFoundError: .*nosuchmodule",
    ) as caught:
        open_backend("broken://")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        (
            "tenant",
            "from work_core import hookimpl\n@hookimpl\ndef work_open_backend(url, tenant): ...",
            r".*argument.*tenant",
        ),
        (
            "misspelt",
            "from work_core import hookimpl\n@hookimpl\ndef work_open_backnd(url): ...",
            r"work_misspelt\.work_open_backnd is no hook; did you mean 'work_open_backend'\?",
        ),
        ("unmarked", "def work_open_backend(url): ...", r".*is not marked; decorate it"),
        ("empty", "", r"work_empty is no plug-in"),
    ],
)
def test_a_plugin_with_a_wrong_hook_is_named(
    install: Install, name: str, source: str, reason: str
) -> None:
    """A plug-in that does not fit the hooks is named with its distribution and the reason."""
    install(f"work-{name}", scheme=name, source=source)
    with pytest.raises(
        PluginError, match=rf"(?i)^work-{name} 1\.0 cannot serve '{name}': .*{reason}"
    ):
        open_backend(f"{name}://")


@pytest.mark.parametrize("answer", ["None", "'a string'"])
def test_an_answer_that_is_no_backend_is_refused(install: Install, answer: str) -> None:
    """A plug-in that answers with something else is named with what it answered."""
    name = "nothing" if answer == "None" else "text"
    source = "from work_core import hookimpl\n@hookimpl\ndef work_open_backend(url): return "
    install(f"work-{name}", scheme=name, source=source + answer)
    with pytest.raises(
        PluginError, match=rf"^work-{name} 1\.0 cannot serve .* {answer}, which is no Backend"
    ):
        open_backend(f"{name}://")


def test_what_a_plugin_says_of_a_url_stands(install: Install) -> None:
    """An error of ours from the plug-in arrives as it is."""
    source = """
        from work_core import hookimpl, InvalidURL

        @hookimpl
        def work_open_backend(url):
            raise InvalidURL("the path is missing")
    """
    install("work-picky", scheme="picky", source=source)
    with pytest.raises(InvalidURL, match=r"^the path is missing$"):
        open_backend("picky://")


LEAKY = """
    from work_core import hookimpl

    @hookimpl
    def work_open_backend(url):
        raise ValueError(f"cannot open {url} with hunter2")
"""


def test_a_failure_to_open_shows_no_password(install: Install) -> None:
    """Neither the message nor its traceback shows the password, whatever the driver said."""
    install("work-leaky", scheme="leaky", source=LEAKY)
    with pytest.raises(PluginError, match=r"^the backend of leaky://u:\*\*\*@h failed") as caught:
        open_backend("leaky://u:hunter2@h")
    shown = traceback.format_exception(caught.value, chain=True)
    assert not [line for line in shown if "hunter2" in line and "open_backend(" not in line]


def test_a_failure_to_open_keeps_its_cause(install: Install) -> None:
    """Where it holds no secret, the plug-in's own error is the cause."""
    install("work-harmless", scheme="harmless", source=LEAKY.replace(" {url} with hunter2", ""))
    with pytest.raises(PluginError, match="ValueError: cannot open") as caught:
        open_backend("harmless://u:hunter2@h")
    assert isinstance(caught.value.__cause__, ValueError)


# -- what is installed ----------------------------------------------------------------------------


def test_installed_backends_are_listed_with_what_they_can_do(install: Install) -> None:
    """Each scheme comes with its distribution and capabilities; a broken one with its problem."""
    install("work-listed", scheme="listed", source=GOOD.format(name="ListedBackend"))
    install("work-sick", scheme="sick", source="import nosuchmodule")
    found = {each.name: each for each in installed_backends()}
    assert found["listed"].distribution == "work-listed 1.0"
    assert found["listed"].capabilities == capabilities_of(MemoryBackend)
    assert "nosuchmodule" in found["sick"].problem
    assert found["sick"].capabilities is None
    assert found["memory"].distribution == "work-core (built in)"


def test_one_broken_plugin_does_not_hide_the_others(install: Install) -> None:
    """Whatever a plug-in raises when it is asked for its class, the list is complete."""
    source = GOOD.format(name="X").replace("return X\n", "raise ValueError('no class')\n")
    install("work-rude", scheme="rude", source=source)
    found = {each.name: each for each in installed_backends()}
    assert found["rude"].problem == "ValueError: no class"
    assert found["memory"].problem == ""


# -- middleware -----------------------------------------------------------------------------------


def test_middleware_is_loaded_by_name(install: Install) -> None:
    """The class comes back, not an object: its options are the caller's."""
    install(
        "work-polite",
        scheme="polite",
        source="class Polite: ...",
        group=MIDDLEWARE,
        value="work_polite:Polite",
    )
    assert load_middleware("polite").__name__ == "Polite"
    assert ("polite", "work-polite 1.0") in [
        (each.name, each.distribution) for each in installed_middleware()
    ]


def test_listing_middleware_loads_none(install: Install) -> None:
    """Installed is not enabled: a broken middleware that nobody uses hurts nobody."""
    install("work-unused", scheme="unused", source="import nosuchmodule", group=MIDDLEWARE)
    assert "unused" in [each.name for each in installed_middleware()]
    with pytest.raises(PluginError, match=r"^work-unused 1\.0 cannot serve 'unused'"):
        load_middleware("unused")


def test_unknown_middleware_gets_a_suggestion(install: Install) -> None:
    """A slip of the pen is answered with the nearest name."""
    install("work-shiny", scheme="shiny", source="", group=MIDDLEWARE)
    with pytest.raises(
        PluginError, match=r"^no middleware 'shinny' is installed; did you mean 'sh"
    ):
        load_middleware("shinny")


def test_without_any_middleware_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none installed learns where it comes from."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    with pytest.raises(PluginError, match="try: pip install work-middleware"):
        load_middleware("heartbeat")


# -- capabilities ---------------------------------------------------------------------------------


def test_a_capability_is_asked_for_by_its_class() -> None:
    """A backend that has the capability comes back as it is."""
    with MemoryBackend() as backend:
        assert require(backend, JobFinder) is backend


def test_a_missing_capability_names_who_has_it(install: Install) -> None:
    """The message names the backend, the capability, and the installed backends that have it."""
    source = GOOD.format(name="Able") + (
        "\n    from work_core.capabilities import TransactionalEnqueue"
        "\n    class Able(MemoryBackend, TransactionalEnqueue): pass\n"
    )
    install("work-able", scheme="able", source=source)
    with (
        MemoryBackend() as backend,
        pytest.raises(
            UnsupportedError,
            match=r"^MemoryBackend is not a TransactionalEnqueue; installed .*\bable\b",
        ),
    ):
        require(backend, TransactionalEnqueue)
