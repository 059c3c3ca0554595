"""The commands that do large work with dask: copy, consolidate, rechunk; `convert` has a module of its own.

They show progress on standard error, print a report, and can be stopped and run again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from zarrds._node import documents_below, has_node, not_found
from zarrds._store import normalize_path
from zarrds.cli.asking import REPLACE, ask_if_there
from zarrds.cli.options import (
    FAILED,
    Access,
    JobOptions,
    access_options,
    as_json,
    dest_option,
    if_exists_option,
    job_options,
    parsed_chunks,
    resume_option,
    verify_option,
    yes_option,
)
from zarrds.cli.places import store_at, store_or_place, target_place
from zarrds.cli.printing import echo_json, echo_text
from zarrds.convenience import copy_store as copy_every_key
from zarrds.convenience import open as open_node
from zarrds.core import Array
from zarrds.errors.escaping import visible
from zarrds.storage import MemoryStore, as_store

__all__ = ["consolidate", "copy", "rechunk"]


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("dest", metavar="DST")
@click.option("--source-path", default="", metavar="PATH", help="Copy only what is below PATH.")
@click.option("--dest-path", default="", metavar="PATH", help="Copy to PATH inside DST.")
@if_exists_option("What to do with keys that DST holds already; skip_same writes only what differs.")
@verify_option("Check each chunk after it was copied: its size, that it can be decoded, or all its bytes.")
@click.option("--on-error", type=click.Choice(["raise", "report"]), default="raise", show_default=True)
@click.option("--dry-run", is_flag=True, help="Say what would be copied, and copy nothing.")
@click.option("--every-key", is_flag=True, help="Copy keys that belong to no array or group too, in this process.")
@resume_option
@yes_option
@job_options
@access_options
@dest_option
@as_json
def copy(
    source: str,
    dest: str,
    source_path: str,
    dest_path: str,
    every_key: bool,
    yes: bool,
    job: JobOptions,
    access: Access,
    dest_storage_option: dict[str, Any],
    as_json: bool,
    **how: Any,
) -> None:
    """Copy a store, or a part of one, as it is: encoded chunks are not decoded.

    If it is stopped, run it again: it copies what is not there yet. Exit codes: 0 copied; 1 a problem, keys that were
    not copied, or not agreed to; 2 wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds copy data.zarr s3://bucket/data.zarr --workers 4 --verify size
    """
    ours, theirs = access.options(source), access.options(dest, dest_storage_option)
    if how["if_exists"] == "replace" and not how["dry_run"]:
        ask_if_there(REPLACE, dest, dest_path, theirs, yes=yes)
    target = target_place(dest, dry_run=how["dry_run"])
    if every_key:
        to_store = as_store(target, mode="a", storage_options=theirs)
        _copy_every_key(store_at(source, ours), to_store, source_path, dest_path, how, quiet=job.quiet, as_json=as_json)
        return
    where = {"storage_options": ours, "dest_storage_options": theirs or {}}
    places = store_or_place(source), target
    report = job.run(partial(_copy_job, *places, source_path, dest_path, **how, **where))
    echo_json("copy", report.to_dict()) if as_json else echo_text(str(report))
    if not report.ok:
        raise SystemExit(FAILED)  # builtin: the exit status of the program


def _copy_job(*args: Any, **options: Any) -> Any:
    from zarrds.dask import copy_store  # imported here, as other commands do not need dask

    return copy_store(*args, **options)


def _copy_every_key(
    source: Any, dest: Any, source_path: str, dest_path: str, how: dict[str, Any], *, quiet: bool, as_json: bool
) -> None:
    if how["if_exists"] == "skip_same" or how["verify"]:
        raise click.UsageError("--every-key has neither --if-exists skip_same nor --verify")
    last: list[str] = []

    def say(line: str) -> None:
        """Print a line when the next one comes: the closing line must wait until something was copied."""
        if last and not (quiet or as_json):
            echo_text(last[0])
        last[:] = [line]

    try:
        counts = copy_every_key(
            source, dest, source_path, dest_path, if_exists=how["if_exists"], dry_run=how["dry_run"], log=say
        )
        if not any(counts):
            raise not_found(source, normalize_path(source_path))
    finally:
        dest.close()  # a ZIP file gets its list of contents
    if as_json:
        copied, skipped, nbytes = counts
        numbers = {"copied": copied, "skipped": skipped, "bytes": nbytes, "dry_run": how["dry_run"], "ok": True}
        echo_json("copy", numbers)
    else:
        echo_text(last[0])


@click.command()
@click.argument("store", metavar="STORE")
@click.option("--only", multiple=True, metavar="PATH", help="Read only the node at PATH again; may be repeated.")
@click.option("--metadata-key", default=".zmetadata", show_default=True, help="Key of the document of Zarr v2.")
@click.option("--dry-run", is_flag=True, help="Count the documents, and write nothing.")
@as_json
@job_options
@access_options
def consolidate(
    store: str, only: tuple[str, ...], metadata_key: str, dry_run: bool, as_json: bool, job: JobOptions, access: Access
) -> None:
    """Write all metadata of a hierarchy into one document, so that it opens with one request.

    Exit codes: 0 written; 1 a problem; 2 wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds consolidate s3://bucket/data.zarr --only temperature
    """
    options = access.options(store)

    def make() -> Any:
        from zarrds.dask import consolidate_metadata

        place = store_or_place(store, "r+")
        return consolidate_metadata(place, metadata_key, only=only or None, storage_options=options)

    if dry_run:
        there = store_at(store, options)
        count, done = len(documents_below(there, "", listed=True)), "would be consolidated"
        if not count:
            raise not_found(there, "")
    else:
        count, done = len(job.run(make).store), "are consolidated"
    if as_json:
        echo_json("consolidate", {"documents": count, "dry_run": dry_run})
    else:
        echo_text(f"{'dry run' if dry_run else 'all done'}: {count} documents {done}")


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("dest", metavar="DST")
@click.option(
    "--chunks",
    callback=parsed_chunks,
    metavar="CHUNKS",
    help="10,20 for the dimensions in order (-1: whole), time=1,x=-1 by name; for a group JSON by the paths of arrays. "
    "Not needed with --append.",
)
@click.option("--max-mem", metavar="BYTES", help='Memory that a task may use, e.g. "256MB".')
@click.option("--path", metavar="PATH", help="Array or group in SRC.")
@click.option("--dest-path", metavar="PATH", help="Where to store it in DST.")
@click.option("--overwrite", is_flag=True, help="Delete what is at the target.")
@click.option("--append", is_flag=True, help="Bring a target up to date with a source that has grown, or make it.")
@click.option("--dry-run", is_flag=True, help="Show the plan, and write nothing.")
@resume_option
@yes_option
@as_json
@job_options
@access_options
@dest_option
def rechunk(
    source: str,
    dest: str,
    chunks: Any,
    path: str | None,
    dest_path: str | None,
    dry_run: bool,
    resume: bool,
    yes: bool,
    as_json: bool,
    job: JobOptions,
    access: Access,
    dest_storage_option: dict[str, Any],
    **how: Any,
) -> None:
    """Store an array, or the arrays of a group, with other chunks, within a memory bound for each task.

    It ends with a report of the chunks of DST. If it is stopped, run it again. Exit codes: 0 stored; 1 a problem; 2
    wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds rechunk maps.zarr series.zarr --path t2m --chunks time=-1,lat=10,lon=10 --max-mem 256MB --workers 4
    """
    if chunks is None and not how["append"]:
        raise click.UsageError("Missing option '--chunks', such as --chunks time=-1,lat=10,lon=10")
    ours, theirs = access.options(source), access.options(dest, dest_storage_option)
    make: Callable[..., Any] = partial(_rechunk_job, store_at(source, ours), chunks=chunks, path=path, **how)
    if dry_run:
        if how["append"] and has_node(store_at(dest, theirs), normalize_path(dest_path)):
            raise click.UsageError("--dry-run shows no plan for a target that is there and grows")
        plan = make(MemoryStore()).plan
        echo_json("rechunk", {"dry_run": True, "plan": plan.as_dict()}) if as_json else echo_text(str(plan))
        return
    if how["overwrite"]:
        ask_if_there("Delete all that is in {}, as --overwrite asks?", dest, dest_path, theirs, yes=yes)
    target = store_at(dest, theirs, "w")
    if not resume:
        _clean_up(target, dest_path)
    report = job.run(partial(make, target, target_path=dest_path, report=True))
    done = open_node(target, mode="r+", path=dest_path)
    if as_json:
        shape = list(done.shape) if isinstance(done, Array) else None
        echo_json("rechunk", {**report.to_dict(), "path": done.path, "shape": shape})
    else:
        echo_text(str(report))
        echo_text(visible(f"all done: {done!r}"))


def _rechunk_job(*args: Any, **options: Any) -> Any:
    from zarrds.dask import rechunk as rechunk_store

    return rechunk_store(*args, **options)


def _clean_up(dest: Any, dest_path: str | None) -> None:
    from zarrds.dask import cleanup

    cleanup(dest, dest_path)
