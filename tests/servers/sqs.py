"""Fixtures of the sqs test server."""
