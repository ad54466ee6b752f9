"""Keep jobs as files in a directory."""

from work_example.backend import ExampleBackend
from work_example.slow_jobs import SlowJobs

__all__ = ["ExampleBackend", "SlowJobs"]
