"""Turn what goes wrong into one clear line and an exit code: 2 for usage, 1 for failure."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from work_core.errors import ConfigError, WorkError
from work_core.url import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Click 8.2 and later raise the help of a group without a sub-command as an error.
_HELP: type[Exception] = getattr(click.exceptions, "NoArgsIsHelpError", click.exceptions.Exit)


class Failure(click.ClickException):
    """What the user is told; the original is its cause."""

    exit_code = 1

    def __init__(self, message: str, verbosity: int) -> None:
        super().__init__(message)
        self.verbosity = verbosity

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line, below the traceback when ``-vv`` asked for it."""
        if self.verbosity > 1 and self.__cause__ is not None:
            traceback.print_exception(self.__cause__, file=file or sys.stderr)
        click.echo(f"work: {self.message}", err=True, file=file)


class UsageFailure(Failure):
    """What was typed or configured is wrong; nothing was tried."""

    exit_code = 2


@contextmanager
def told_in_one_line(verbosity: Callable[[], int]) -> Iterator[None]:
    """Raise whatever goes wrong in the block as a ``Failure``."""
    try:
        yield
    except (Failure, click.exceptions.Exit, click.Abort, _HELP, BrokenPipeError):
        raise
    except click.ClickException as error:
        kind = UsageFailure if isinstance(error, click.UsageError) else Failure
        raise kind(_usage(error), verbosity()) from error
    except ConfigError as error:
        raise UsageFailure(one_line(error), verbosity()) from error
    except (WorkError, OSError) as error:
        raise Failure(one_line(error), verbosity()) from error
    except Exception as error:
        message = f"{type(error).__name__}: {one_line(error)} (-vv shows where)"
        raise Failure(message, verbosity()) from error


def one_line(error: BaseException) -> str:
    """Return the text of *error* without line breaks and passwords."""
    return redact(" ".join(str(error).split())) or type(error).__name__


def _usage(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    return f"{message[:1].lower()}{message[1:]}; see: {context.command_path} --help"
