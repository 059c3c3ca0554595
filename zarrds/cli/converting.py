"""The command that converts a hierarchy to another format, or stores files of netCDF."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import click
from click.core import ParameterSource

from zarrds._store import normalize_path
from zarrds.cli.asking import REPLACE, ask_if_there, expect_agreement
from zarrds.cli.netcdf import NewDataset, store_files
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
from zarrds.cli.places import is_file_of_data, store_or_place, target_place
from zarrds.cli.printing import echo_json, echo_text
from zarrds.errors.escaping import visible

__all__ = ["convert"]


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("dest", metavar="[DEST]", required=False)
@click.option("--to", type=click.Choice(["2", "3"]), default="3", show_default=True, help="The new format.")
@click.option("--path", default="", metavar="PATH", help="Convert only what is at and below PATH.")
@click.option("--dest-path", default="", metavar="PATH", help="Convert to PATH inside DEST.")
@click.option("--keep", is_flag=True, help="Keep the old documents when converting in place.")
@if_exists_option("What to do with arrays that DEST holds already; skip_same writes only chunks that differ.")
@verify_option("Check each chunk after it was written: its size, that it can be decoded, or all its bytes or elements.")
@click.option(
    "--on-error",
    type=click.Choice(["raise", "report"]),
    default="raise",
    show_default=True,
    help="End with the first error, or convert all that can be converted and report the others.",
)
@click.option(
    "--chunks", callback=parsed_chunks, metavar="CHUNKS", help="Of netCDF: lengths by dimensions, time=10,lat=-1."
)
@click.option("--append-dim", metavar="NAME", help="Of netCDF: write behind what DEST has along this dimension.")
@click.option(
    "--region", type=click.Choice(["auto"]), help="Of netCDF: write over the part of DEST with its coordinates."
)
@click.option("--dry-run", is_flag=True, help="Say what would be converted, and write nothing.")
@resume_option
@yes_option
@as_json
@job_options
@access_options
@dest_option
def convert(
    source: str,
    dest: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    job: JobOptions,
    access: Access,
    dest_storage_option: dict[str, Any],
    **how: Any,
) -> None:
    """Convert a hierarchy to another format: in place, or from SRC to DEST; or store a netCDF file in DEST.

    Of netCDF and HDF5, SRC is a file, or in quotes a pattern of files that follow each other along a dimension. They
    become a dataset of Zarr v2 unless --to is given, or are added to one: --append-dim, --region.

    What the new format cannot express is refused before anything is written. In place it asks first. If it is stopped,
    run it again. Exit codes: 0 converted; 1 a problem, not agreed to, or a chunk that is not converted or not as
    --verify expects it; 2 wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds convert old.zarr new.zarr --to 3 --workers 4 --if-exists skip_same --verify size
      zarrds convert 'year-*.nc' s3://bucket/year.zarr --chunks time=30
    """
    options = access.options(source), access.options(dest, dest_storage_option)
    convert_it = _convert_files if is_file_of_data(source) else _convert_store
    convert_it(source, dest, options, job, how, dry_run=dry_run, yes=yes, as_json=as_json)


_Options = tuple[dict[str, Any] | None, dict[str, Any] | None]
"""Storage options of source and destination."""


def _refuse(options: Mapping[str, bool], why: str) -> None:
    """Raise UsageError for the options that were used, if any."""
    used = [name for name, is_used in options.items() if is_used]
    if used:
        raise click.UsageError(f"{', '.join(used)}: {why}")


def _convert_files(
    source: str,
    dest: str | None,
    options: _Options,
    job: JobOptions,
    how: dict[str, Any],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    of_stores = {
        "--path": bool(how["path"]),
        "--keep": how["keep"],
        "--verify": how["verify"] is not None,
        "--on-error": how["on_error"] != "raise",
        "--no-resume": not how["resume"],
        "--if-exists skip": how["if_exists"].startswith("skip"),
    }
    _refuse(of_stores, "not for files of netCDF")
    new = NewDataset(
        source,
        dest,
        how["dest_path"],
        int(how["to"]) if _is_given("to") else None,
        how["if_exists"] == "replace",
        how["chunks"],
        how["append_dim"],
        how["region"],
    )
    store_files(new, options[1], job, dry_run=dry_run, yes=yes, as_json=as_json)


def _is_given(option: str) -> bool:
    """Return whether an option of this command was given, or else has its default."""
    return click.get_current_context().get_parameter_source(option) is not ParameterSource.DEFAULT


def _convert_store(
    source: str,
    dest: str | None,
    options: _Options,
    job: JobOptions,
    how: dict[str, Any],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    of_files = {f"--{name.replace('_', '-')}": how.pop(name) is not None for name in ("chunks", "append_dim", "region")}
    _refuse(of_files, "for netCDF files only; use rechunk for stores")
    if how["if_exists"] != "raise" and dest is None:
        raise click.UsageError("--if-exists needs DEST: in place there are no other nodes")
    steps: list[str] = []
    log = steps.append if as_json else None if job.quiet else echo_text
    to, dest_path = int(how.pop("to")), how["dest_path"]
    make = partial(_convert_job, source, dest, to, options, dry_run=dry_run, log=log, **how)
    if dest is None and not (yes or dry_run):
        make()  # what cannot be done is said before anything is asked
        expect_agreement(f"Convert {source} in place to Zarr v{to}?", yes=False)
    if dest is not None and how["if_exists"] == "replace" and not dry_run:
        ask_if_there(REPLACE, dest, dest_path, options[1], yes=yes)
    report = job.run(make)
    where = normalize_path(dest_path or ("" if dest else how["path"]))
    if as_json:
        echo_json("convert", {**report.to_dict(), "steps": steps, "path": where, "zarr_format": to})
    elif dry_run or not (job.quiet and report.ok):
        echo_text(str(report))
        if report.ok:
            done = "dry run: nothing was written" if dry_run else f"all done: /{where} is in Zarr v{to}"
            echo_text(visible(done))
    if not report.ok:
        raise SystemExit(FAILED)  # builtin: the exit status of the program


def _convert_job(source: str, dest: str | None, to: int, options: _Options, *, dry_run: bool, **how: Any) -> Any:
    from zarrds.dask import convert as convert_store  # imported here, as other commands do not need dask

    return convert_store(
        store_or_place(source, "r" if dest else "r+"),
        None if dest is None else target_place(dest, dry_run=dry_run),
        to,
        storage_options=options[0],
        dest_storage_options=options[1],
        dry_run=dry_run,
        report=True,
        **how,
    )
