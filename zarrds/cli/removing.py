"""The command that deletes."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from zarrds.cli.options import Access, JobOptions, access_options, as_json, job_options, store_argument, yes_option
from zarrds.cli.places import opened, store_or_place
from zarrds.cli.printing import confirmed, echo_json, echo_text
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
    node = opened(store, path, options)
    what = "array" if isinstance(node, Array) else "group"
    where = f"{store} {node.path}".rstrip()
    count = _delete_job(store_or_place(store), path, force=force, dry_run=True, storage_options=options).compute()
    question = f"Delete the {what} {where} with {count.deleted:,} keys?"
    if dry_run:
        echo_json("rm", count.to_dict()) if as_json else echo_text(str(count))
        return
    if not confirmed(question, yes=yes):
        raise click.ClickException("nothing was deleted")
    make = partial(_delete_job, store_or_place(store, "r+"), path, force=force, storage_options=options)
    report = job.run(make)
    echo_json("rm", report.to_dict()) if as_json else echo_text(str(report))


def _delete_job(*args: Any, **options: Any) -> Any:
    from zarrds.dask import delete  # imported here, as other commands do not need dask

    return delete(*args, **options)
