"""The group of all commands, and the one that verifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from zarrds import __version__
from zarrds._node import has_node, not_found
from zarrds._store import normalize_path
from zarrds.cli.asking import expect_agreement
from zarrds.cli.benching import bench
from zarrds.cli.comparing import diff
from zarrds.cli.converting import convert
from zarrds.cli.jobs import consolidate, copy, rechunk
from zarrds.cli.looking import head, info, ls, tree
from zarrds.cli.options import (
    FAILED,
    Access,
    JobOptions,
    access_options,
    as_json,
    job_options,
    path_argument,
    store_argument,
    yes_option,
)
from zarrds.cli.places import store_at, store_or_place
from zarrds.cli.plotting import plot
from zarrds.cli.printing import echo_json, echo_text
from zarrds.cli.removing import rm
from zarrds.cli.running import Commands
from zarrds.cli.serving import serve
from zarrds.cli.settings import config
from zarrds.cli.values import cat, stats
from zarrds.convenience import repair as repair_store
from zarrds.convenience import verify as verify_store

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zarrds")
def main() -> None:
    """Look at Zarr arrays and groups; compare, verify, copy, convert, rechunk, serve and delete them.

    STORE is the path of a directory, of a ZIP file or of a database of SQLite or LMDB, or a URL (s3://bucket/data.zarr,
    https://..., zip::file:///data.zip); PATH is the path of an array or group inside it. Zarr v2, Zarr v3 and N5.

    Exit codes: 0 done; 1 a problem of the store, the path or the data; 2 wrong usage; 130 stopped by Ctrl-C.
    """


@main.command()
@store_argument
@path_argument
@click.option(
    "--level",
    type=click.Choice(["keys", "sizes", "decode"]),
    default="keys",
    show_default=True,
    help="List keys and read documents; check sizes of chunks as well; decode all chunks.",
)
@click.option("--clean", is_flag=True, help="Remove temporary files of stopped writers.")
@click.option("--repair", is_flag=True, help="Show documents of earlier writers that are to be corrected, and how.")
@click.option("--write", is_flag=True, help="With --repair: write the correct documents.")
@yes_option
@as_json
@job_options
@access_options
def verify(
    store: str,
    path: str,
    level: Any,
    clean: bool,
    repair: bool,
    write: bool,
    yes: bool,
    as_json: bool,
    job: JobOptions,
    access: Access,
) -> None:
    """Look for torn, stray, undecodable and stale values.

    With --repair: look only for documents that `zarrds repair` corrects, and show what is to be changed; with --write
    (or --yes), change it. --clean asks before it removes anything.

    Exit codes: 0 none was found; 1 some were, or the store failed; 2 wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds verify s3://bucket/data.zarr --level decode --workers 4
    """
    if write and not repair:
        raise click.UsageError("--write is for --repair")
    write = write or (repair and yes)
    options, place = access.options(store), store_or_place(store, "r+" if clean or write else "r")
    if repair:
        _show_repairs(repair_store(place, path, write=write, storage_options=options), as_json=as_json)
        return
    if clean:
        question = f"Remove temporary files of stopped writers in {store}? No writer may be at work there."
        expect_agreement(question, yes=yes)
    if job.is_asked_for and not clean and level != "keys":
        report = job.run(partial(_verify_job, place, path, level, storage_options=options))
    else:
        report = verify_store(place, path, level, clean=clean, storage_options=options)
    echo_json("verify", report.to_dict()) if as_json else echo_text(str(report))
    if not report.ok:
        raise SystemExit(FAILED)  # builtin: the exit status of the program


@main.command()
@store_argument
@path_argument
@click.option("--dry-run", is_flag=True, help="Show what is to be corrected, and write nothing.")
@yes_option
@as_json
@access_options
def repair(store: str, path: str, dry_run: bool, yes: bool, as_json: bool, access: Access) -> None:
    """Correct documents that earlier writers left in a form that other readers refuse.

    These are lengths such as 4.0, and chunk lengths of 0; see docs/formats.md. It shows what is to be changed, and asks
    before it writes. Chunks are not touched. Exit codes: 0 corrected, or nothing to correct; 1 a problem, or not agreed
    to; 2 wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds repair data.zarr --dry-run
    """
    options = access.options(store)
    if not has_node(there := store_at(store, options), normalize_path(path)):
        raise not_found(there, normalize_path(path))
    found = repair_store(store_or_place(store), path, storage_options=options)
    if found and not dry_run:
        if not (yes or as_json):
            _show_repairs(found, as_json=False)
        expect_agreement(f"Write {len(found)} documents?", yes=yes)
        found = repair_store(store_or_place(store, "r+"), path, write=True, storage_options=options)
    _show_repairs(found, as_json=as_json)


def _show_repairs(found: Sequence[Any], *, as_json: bool) -> None:
    if as_json:
        echo_json("repair", {"documents": [asdict(one) for one in found]})
        return
    for one in found:
        echo_text(str(one))
    written = sum(one.written for one in found)
    echo_text(f"{written} documents corrected" if written else f"{len(found)} documents to correct")


def _verify_job(*args: Any, **options: Any) -> Any:
    from zarrds.dask import verify as verify_by_tasks  # imported here, as other commands do not need dask

    return verify_by_tasks(*args, **options)


for command in (
    *(info, tree, ls, head, cat, stats, plot, diff),
    *(copy, convert, rechunk, consolidate, rm, serve, bench, config),
):
    main.add_command(command)
