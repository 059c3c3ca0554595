"""Options that several commands share, and how their values are parsed."""

from __future__ import annotations

import functools
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from zarrds.errors import ZarrdsError

__all__ = [
    "FAILED",
    "STOPPED",
    "JobOptions",
    "as_json",
    "job_options",
    "options_for",
    "problems_reported",
    "storage_option",
    "storage_options",
]

FAILED = 1
STOPPED = 130
"""Exit code of a command that was stopped by Ctrl-C."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _json_object(ctx: click.Context, param: click.Parameter, value: str) -> dict[str, Any]:
    """Parse the JSON object given to an option; any other text is wrong usage."""
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise click.BadParameter("expected a JSON object")
    return parsed


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Parse KEY=VALUE pairs; dots in a key mean objects within objects, values are JSON or else text."""
    found: dict[str, Any] = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise click.BadParameter(f"expected KEY=VALUE, found {text!r}")
        *above, last = key.split(".")
        inside = found
        for name in above:
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                raise click.BadParameter(f"{key!r} lies within another value")
        inside[last] = _json_or_text(value)
    return found


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
storage_options = click.option(
    "--storage-options",
    callback=_json_object,
    default="{}",
    metavar="JSON",
    help="Options of the file system behind a URL, e.g. '{\"anon\": true}'.",
)


def storage_option(*names: str, of: str = "the file system behind a URL") -> Callable[[_Command], _Command]:
    """Return the option for single KEY=VALUE pairs."""
    return click.option(
        *(names or ("--storage-option",)),
        callback=_pairs,
        multiple=True,
        metavar="KEY=VALUE",
        help=f"Option of {of}, e.g. anon=true or client_kwargs.endpoint_url=http://...; may be repeated.",
    )


@dataclass(frozen=True)
class JobOptions:
    """Where a job runs, and how much it says."""

    workers: int | None
    scheduler: str | None
    quiet: bool

    @property
    def is_asked_for(self) -> bool:
        """Whether the caller has asked for workers."""
        return self.workers is not None or self.scheduler is not None

    def run(self, make: Callable[[], Any]) -> Any:
        """Make a job and compute it on the workers that were asked for; return its result.

        Ctrl-C ends the command with exit code 130, and a line that says how to go on.
        """
        from zarrds.dask.clusters import workers_for  # imported here, as other commands do not need dask

        try:
            with workers_for(self.workers, self.scheduler):
                return make().compute(progress=not self.quiet)
        except KeyboardInterrupt:
            click.echo("\nstopped; run the same command again to go on where it was", err=True)
            raise SystemExit(STOPPED) from None  # builtin: the exit status of the program


def job_options(command: _Command) -> _Command:
    """Add the options that say where a job runs; the command gets them as ``job``."""

    @functools.wraps(command)
    def collected(*args: Any, workers: int | None, scheduler: str | None, quiet: bool, **given: Any) -> Any:
        if workers is not None and scheduler is not None:
            raise click.UsageError("--workers and --scheduler exclude each other")
        return command(*args, job=JobOptions(workers, scheduler, quiet), **given)

    for option in (
        click.option("--quiet", is_flag=True, help="Show no progress."),
        click.option("--scheduler", metavar="ADDRESS", help="Use the dask cluster at ADDRESS, e.g. tcp://host:8786."),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            metavar="N",
            help="Start N worker processes on this machine; without it, threads do the work.",
        ),
    ):
        collected = option(collected)
    return collected  # type: ignore[return-value]


@contextmanager
def problems_reported() -> Iterator[None]:
    """Turn errors of a store or its data into one line on standard error and exit code 1."""
    try:
        yield
    except (ZarrdsError, OSError, ValueError, ImportError, MemoryError, zipfile.BadZipFile) as error:
        # other errors: systems that do not answer, and URLs that fsspec does not know or lacks a package for
        raise click.ClickException(str(error) or type(error).__name__) from error


def options_for(place: str | None, *given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options of several origins for a URL; None for other places, and where there are none."""
    merged: dict[str, Any] = {}
    for some in given:
        merged |= some
    return merged if merged and place is not None and "://" in place else None
