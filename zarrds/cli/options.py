"""Options that several commands share, and how their values are parsed."""

from __future__ import annotations

import atexit
import functools
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from zarrds.cli.places import is_url, schemes_of
from zarrds.errors import ArgumentError

__all__ = [
    "FAILED",
    "STOPPED",
    "Access",
    "JobOptions",
    "access_options",
    "as_json",
    "dest_option",
    "if_exists_option",
    "job_options",
    "options_for",
    "parsed_chunks",
    "path_argument",
    "resume_option",
    "storage_option",
    "store_argument",
    "verify_option",
    "yes_option",
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


def parsed_chunks(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Parse chunks: a JSON value, lengths with commas, or NAME=LENGTH pairs with commas."""
    if value is None:
        return None
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        pass
    try:
        if "=" not in value:
            return tuple(int(length) for length in value.split(","))
        pairs = (part.rpartition("=") for part in value.split(","))
        return {name.strip(): length.strip() if length.strip() == "auto" else int(length) for name, _, length in pairs}
    except ValueError:
        raise click.BadParameter(f"expected lengths (10,20), NAME=LENGTH pairs or JSON, found {value!r}") from None


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")
store_argument = click.argument("store", metavar="STORE")
resume_option = click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Go on with an earlier run of the same command that was stopped, or begin again.",
)


def if_exists_option(help_text: str) -> Callable[[_Command], _Command]:
    """Return the option that says what is done with what the destination holds already."""
    choice = click.Choice(["raise", "replace", "skip", "skip_same"])
    return click.option("--if-exists", type=choice, default="raise", show_default=True, help=help_text)


def verify_option(help_text: str) -> Callable[[_Command], _Command]:
    """Return the option that says how chunks are checked."""
    return click.option("--verify", type=click.Choice(["size", "read", "hash"]), help=help_text)


def storage_option(*names: str, of: str = "the file system behind a URL") -> Callable[[_Command], _Command]:
    """Return the option for single KEY=VALUE pairs."""
    return click.option(
        *(names or ("--storage-option",)),
        callback=_pairs,
        multiple=True,
        metavar="KEY=VALUE",
        help=f"Option of {of}, e.g. anon=true or client_kwargs.endpoint_url=http://...; may be repeated.",
    )


dest_option = storage_option("--dest-storage-option", of="the file system of DST, if it differs from that of SRC")


# --- how stores are reached -------------------------------------------------------------------------------------------

_ANONYMOUS: dict[str, dict[str, Any]] = {
    "s3": {"anon": True},
    "s3a": {"anon": True},
    "gs": {"token": "anon"},
    "gcs": {"token": "anon"},
    "az": {"anon": True},
    "abfs": {"anon": True},
    "abfss": {"anon": True},
}
_WITH_PROFILES = ("s3", "s3a")


@dataclass(frozen=True)
class Access:
    """How the file systems behind URLs are reached."""

    given: Mapping[str, Any]
    anonymous: bool = False
    profile: str | None = None

    def options(self, place: str | None, *more: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the storage options for a place; None for one that is no URL, and where there are none."""
        if place is None or not is_url(place):
            return None
        schemes = schemes_of(place)
        implied: dict[str, Any] = {}
        if self.anonymous:
            implied |= _ANONYMOUS.get(schemes[-1], {})
        if self.profile is not None:
            if schemes[-1] not in _WITH_PROFILES:
                raise ArgumentError(
                    f"--profile is for s3://, found {schemes[-1]}://", hint="use --storage-option KEY=VALUE"
                )
            implied["profile"] = self.profile
        given = options_for(place, self.given, *more) or {}
        if len(schemes) > 1 and implied:  # in a chain each file system has its own options
            implied = {schemes[-1]: {**implied, **given.pop(schemes[-1], {})}}
        return options_for(place, implied, given)


def options_for(place: str | None, *given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options of several origins for a URL; None for other places, and where there are none."""
    merged: dict[str, Any] = {}
    for some in given:
        merged |= some
    return merged if merged and place is not None and is_url(place) else None


def access_options(command: _Command) -> _Command:
    """Add the options that say how stores are reached; the command gets them as ``access``."""

    @functools.wraps(command)
    def collected(
        *args: Any,
        storage_options: dict[str, Any],
        storage_option: dict[str, Any],
        anon: bool,
        profile: str | None,
        **given: Any,
    ) -> Any:
        return command(*args, access=Access({**storage_options, **storage_option}, anon, profile), **given)

    for option in (
        click.option("--profile", metavar="NAME", help="Use the credentials of this profile (s3://)."),
        click.option("--anon", is_flag=True, help="Use no credentials (s3://, gs://, az://)."),
        storage_option(),
        click.option(
            "--storage-options",
            callback=_json_object,
            default="{}",
            metavar="JSON",
            help="Options of the file system behind a URL, e.g. '{\"anon\": true}'.",
        ),
    ):
        collected = option(collected)
    return collected  # type: ignore[return-value]


# --- completion -------------------------------------------------------------------------------------------------------


def _members(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the path of a node in the store that was named before it, if that is on this machine."""
    from zarrds.cli.places import opened  # imported here, as parsing needs no store

    store = ctx.params.get("store")
    if not isinstance(store, str) or is_url(store):  # a shell must not wait for a network
        return []
    above = incomplete.rpartition("/")[0]
    try:
        names = list(opened(store, above, None))
    except Exception:  # a completion has nowhere to show an error
        return []
    paths = [f"{above}/{name}".lstrip("/") for name in names]
    return [path for path in paths if path.startswith(incomplete)]


path_argument = click.argument("path", metavar="[PATH]", default="", shell_complete=_members)


# --- jobs -------------------------------------------------------------------------------------------------------------


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

        how = ""
        if self.is_asked_for:  # its reports on tasks that were cancelled would hide how to go on
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        try:
            with workers_for(self.workers, self.scheduler):
                job = make()
                resumable = getattr(job, "resumable", False)
                how = " to go on where it was" if resumable else " to begin again: nothing was changed"
                return job.compute(progress=not self.quiet)
        except KeyboardInterrupt:
            click.echo(f"\nstopped; run the same command again{how}", err=True)
            _leave_half_started_clusters()
            raise SystemExit(STOPPED) from None  # builtin: the exit status of the program


def _leave_half_started_clusters() -> None:
    """Let the end of the process end the workers: closing a cluster that was about to start fails with a traceback."""
    spec = sys.modules.get("distributed.deploy.spec")
    close = getattr(spec, "close_clusters", None)
    if close is not None:
        atexit.unregister(close)


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
