"""The demo: every file of Python's standard library is a job, and a worker dies on the way."""
