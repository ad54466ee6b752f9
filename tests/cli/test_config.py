"""Settings: where they come from, which one holds, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from work_core.config import load_config
from work_core.errors import ConfigError

WORK_TOML = Path("work.toml")


def test_defaults_without_a_file() -> None:
    """Without a file or variables jobs go to SQLite in the working directory."""
    config = load_config()

    assert (config.url, config.namespace) == ("sqlite:///work.db", "work")
    assert (config.stores, config.plugins, config.source) == (None, (), "the defaults")


def test_work_toml_is_read() -> None:
    """``work.toml`` of the working directory holds all settings."""
    WORK_TOML.write_text(
        'url = "redis://one"\nnamespace = "shop"\nstores = "redis://two"\n'
        'plugins = ["heartbeat", { name = "max-retries", limit = 3 }]\n'
    )

    config = load_config()

    assert (config.url, config.namespace, config.stores) == ("redis://one", "shop", "redis://two")
    assert [(each.name, each.options) for each in config.plugins] == [
        ("heartbeat", {}),
        ("max-retries", {"limit": 3}),
    ]


def test_pyproject_is_read_without_a_work_toml() -> None:
    """``[tool.work]`` serves projects that want one file; ``work.toml`` wins over it."""
    Path("pyproject.toml").write_text('[tool.work]\nnamespace = "two"\n')
    assert load_config().namespace == "two"

    WORK_TOML.write_text('namespace = "one"\n')
    assert load_config().namespace == "one"


def test_a_pyproject_without_the_table_is_no_settings_file() -> None:
    """A project that does not configure work has the defaults."""
    Path("pyproject.toml").write_text("[tool.other]\n")

    assert load_config().source == "the defaults"


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables win over the file; an empty one counts as not set."""
    WORK_TOML.write_text('url = "redis://file"\nnamespace = "file"\n')
    monkeypatch.setenv("WORK_URL", "redis://variable")
    monkeypatch.setenv("WORK_NAMESPACE", "")

    config = load_config()

    assert (config.url, config.namespace) == ("redis://variable", "file")


def test_work_config_names_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """``WORK_CONFIG`` points to a settings file anywhere."""
    Path("other.toml").write_text('namespace = "other"\n')
    monkeypatch.setenv("WORK_CONFIG", "other.toml")

    assert load_config().namespace == "other"


def test_plugins_are_loaded_in_order_and_only_when_asked() -> None:
    """Reading the settings makes no plug-in; ``load_plugins`` makes them all, outermost first."""
    WORK_TOML.write_text('plugins = [{ name = "max-retries", limit = 3 }, "heartbeat"]\n')

    plugins = load_config().load_plugins()

    assert [type(plugin).__name__ for plugin in plugins] == ["MaxRetries", "Heartbeat"]


def test_no_password_in_the_repr() -> None:
    """A config may be printed."""
    WORK_TOML.write_text('url = "redis://:hunter2@host"\nstores = "redis://:hunter2@host"\n')

    assert "hunter2" not in repr(load_config())


BAD = [
    ('urll = "x"', "work.toml: unknown key 'urll'; did you mean 'url'?"),
    ("colour = 1", "work.toml: unknown key 'colour'; known: url, namespace, stores, plugins"),
    ("url = 3", "work.toml: url must be a backend URL in quotes, not 3"),
    ('url = "localhost"', "work.toml: url: 'localhost' is no backend URL"),
    ('namespace = ""', "work.toml: namespace must be a name in quotes, not ''"),
    ('plugins = "heartbeat"', "work.toml: plugins must be a list like"),
    ("plugins = [3]", 'work.toml: plugins[0] must be a name or a table with a "name", not 3'),
    ("url = [", "work.toml is no TOML:"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text for text, _ in BAD])
def test_bad_settings_name_file_key_and_expectation(text: str, message: str) -> None:
    """What is wrong in a file is said with the file, the key and what was expected."""
    WORK_TOML.write_text(text)

    with pytest.raises(ConfigError) as raised:
        load_config()

    assert message in str(raised.value)


BAD_PLUGINS = [
    ('"heartbit"', "plugins[0]: no middleware 'heartbit' is installed; did you mean 'heartbeat'?"),
    (
        '{ name = "max-retries", limt = 3 }',
        "plugins[0] ('max-retries'): unknown option 'limt'; did you mean 'limit'?",
    ),
    ('{ name = "max-retries", limit = "many" }', "plugins[0] ('max-retries'): "),
]


@pytest.mark.parametrize(("entry", "message"), BAD_PLUGINS)
def test_bad_plugins_name_file_key_and_expectation(entry: str, message: str) -> None:
    """A plug-in that is unknown, or does not take its options, is named with its place."""
    WORK_TOML.write_text(f"plugins = [{entry}]\n")

    with pytest.raises(ConfigError) as raised:
        load_config().load_plugins()

    assert f"work.toml: {message}" in str(raised.value)


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message tells that the value came from the environment."""
    monkeypatch.setenv("WORK_URL", "nonsense")

    with pytest.raises(ConfigError, match="environment variable WORK_URL: 'nonsense'"):
        load_config()


def test_a_named_file_must_be_there_and_have_the_table() -> None:
    """A file that was asked for and is not usable is an error, not the defaults."""
    with pytest.raises(ConfigError, match=r"cannot read none\.toml: No such file"):
        load_config(Path("none.toml"))
    Path("pyproject.toml").write_text("[tool.other]\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: has no table \[tool\.work\]"):
        load_config(Path("pyproject.toml"))
