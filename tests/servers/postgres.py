"""Fixtures of the postgres test server."""
