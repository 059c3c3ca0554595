"""The command that deletes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from zarrds._node import has_removal_mark
from zarrds._store import normalize_path
from zarrds.cli.asking import expect_agreement
from zarrds.cli.options import Access, JobOptions, access_options, as_json, job_options, store_argument, yes_option
from zarrds.cli.places import opened, store_at, store_or_place
from zarrds.cli.printing import echo_json, echo_text
from zarrds.core import Array

__all__ = ["rm"]


@click.command()
@store_argument
@click.argument("path", metavar="[PATH]", default="")
@click.option("--force", is_flag=True, help="Delete files that belong to no array or group too.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@yes_option
@as_json
@job_options
@access_options
def rm(
    store: str, path: str, force: bool, dry_run: bool, yes: bool, as_json: bool, job: JobOptions, access: Access
) -> None:
    """Delete an array, or a group with all below it; without PATH all that is in the store.

    Asks first. Only arrays and groups are deleted: a folder that holds none is refused, and so is one with other files,
    unless --force is given. If it is stopped, run it again. Exit codes: 0 deleted; 1 a problem, or not agreed to; 2
    wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds rm data.zarr old/experiment --dry-run
    """
    options = access.options(store)
    what = _what(store, path, options)
    make = partial(_delete_job, path=path, force=force, storage_options=options)
    if dry_run or not yes:
        counted = make(store_or_place(store), dry_run=True).compute()
    if not (dry_run or yes):
        expect_agreement(f"Delete {what} with {counted.deleted:,} keys?", yes=False)
    report = counted if dry_run else job.run(partial(make, store_or_place(store, "r+")))
    echo_json("rm", report.to_dict()) if as_json else echo_text(str(report))


def _what(store: str, path: str, options: Mapping[str, Any] | None) -> str:
    """Name what is to be deleted: a node, or what an earlier run that was stopped has left of one.

    Raises
    ------
    PathNotFoundError
        It is neither.
    """
    where = normalize_path(path)
    if has_removal_mark(store_at(store, options), where):
        kind = "rest of"
    else:
        kind = "array" if isinstance(opened(store, path, options), Array) else "group"
    return f"the {kind} {store} {where}".rstrip()


def _delete_job(*args: Any, **options: Any) -> Any:
    from zarrds.dask import delete  # imported here, as other commands do not need dask

    return delete(*args, **options)
