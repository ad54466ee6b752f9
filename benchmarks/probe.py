"""What every job does, whatever library runs it: append one line to one file.

A line holds the time and the job's number, both of fixed width, so that the size of the file tells
how many jobs have run, and its content when each of them ran and whether one ran twice.
"""

from __future__ import annotations

import asyncio
import os
import time

from benchmarks import settings

IO_SECONDS = 0.01

_file = os.open(settings.PROBE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


def mark(number: int) -> None:
    os.write(_file, b"%019d %010d\n" % (time.time_ns(), number))


def _noop(number: int) -> None:
    mark(number)


def _io(number: int) -> None:
    time.sleep(IO_SECONDS)
    mark(number)


async def _async_noop(number: int) -> None:
    mark(number)


async def _async_io(number: int) -> None:
    await asyncio.sleep(IO_SECONDS)
    mark(number)


noop = _async_noop if settings.STYLE == "async" else _noop
io = _async_io if settings.STYLE == "async" else _io
for _name, _function in (("noop", noop), ("io", io)):
    _function.__name__ = _function.__qualname__ = _name  # several libraries name jobs after them
