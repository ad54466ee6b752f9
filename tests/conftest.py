"""Fixtures and settings of the whole tree."""

pytest_plugins = (
    "tests.servers.redis",
    "tests.servers.postgres",
    "tests.servers.sqs",
    "tests.servers.mariadb",
)
