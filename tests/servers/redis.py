"""Fixtures of the redis test server."""
