"""Fixtures of the mariadb test server."""
