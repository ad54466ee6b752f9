"""A run of the whole tree leaves this distribution alone: it is tested where it is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("work_example") else ["tests"]
