"""Run commands: what their errors, warnings and Ctrl-C become on standard error, and the exit codes.

0 done; 1 a problem of the store, the path in it or the data (of commands that compare or check: what they found); 2
wrong usage; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import logging
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from zarrds.cli.options import STOPPED
from zarrds.cli.wording import for_the_command_line
from zarrds.errors import ZarrdsError
from zarrds.errors.escaping import visible

__all__ = ["Commands"]

_DEBUG = "zarrds.debug"


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    root = ctx.find_root()
    if value and not root.meta.get(_DEBUG):
        root.meta[_DEBUG] = True
        root.call_on_close(_log_to_standard_error())


class _Lines(logging.Handler):
    """Handler that prints each record as a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(visible(self.format(record)), err=True)


def _log_to_standard_error() -> Callable[[], None]:
    """Show what the library logs; return a function that ends this."""
    logger, handler = logging.getLogger("zarrds"), _Lines()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)

    def end() -> None:
        logger.removeHandler(handler)
        logger.setLevel(before)

    return end


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_set_debug,
        help="Show where an error arose, and what the library logs.",
    )


class Commands(click.Group):
    """Group of commands whose errors are one line without control characters; ``--debug`` adds the traceback."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.append(_debug_option())

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, which gets the option ``--debug``."""
        cmd.params.append(_debug_option())
        super().add_command(cmd, name)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Parse the arguments, as click does."""
        with _visible_messages():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for, as click does."""
        with _visible_messages(), _warnings_in_a_line(), _problems_reported(ctx):
            return super().invoke(ctx)


@contextmanager
def _problems_reported(ctx: click.Context) -> Iterator[None]:
    """Turn errors into one line on standard error and exit code 1."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit, SystemExit, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        click.echo("\nstopped", err=True)
        raise SystemExit(STOPPED) from None  # builtin: the exit status of the program
    except Exception as error:
        debug = ctx.find_root().meta.get(_DEBUG)
        if debug:
            click.echo("\n".join(map(visible, traceback.format_exc().splitlines())), err=True)
        raise click.ClickException(_message(error, debug=bool(debug))) from error


def _message(error: Exception, *, debug: bool) -> str:
    """Return an error in a line; one that no command expects has its type, and the way to its traceback."""
    text = (for_the_command_line(error) if isinstance(error, ZarrdsError) else str(error)) or type(error).__name__
    if isinstance(error, ZarrdsError | OSError | ValueError | ImportError | MemoryError | zipfile.BadZipFile):
        return text
    more = "" if debug else "; --debug shows where"
    return f"{type(error).__name__}: {text}{more}"


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Print warnings as a line each."""
    before = warnings.showwarning

    def show(message: Warning | str, *args: Any, **options: Any) -> None:
        click.echo(visible(f"Warning: {message}"), err=True)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


@contextmanager
def _visible_messages() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = visible(error.message)
        raise
