"""The command that compares two hierarchies."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from zarrds.cli.options import FAILED, Access, JobOptions, access_options, as_json, job_options, storage_option
from zarrds.cli.places import store_or_place
from zarrds.cli.printing import echo_json, echo_text

__all__ = ["diff"]


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--path", default="", metavar="PATH", help="Compare only what is at and below PATH.")
@click.option("--second-path", metavar="PATH", help="Path in B, if it is another one.")
@click.option("--rtol", type=click.FloatRange(min=0), default=0.0, metavar="NUMBER", help="Relative tolerance.")
@click.option("--atol", type=click.FloatRange(min=0), default=0.0, metavar="NUMBER", help="Absolute tolerance.")
@click.option("--no-values", is_flag=True, help="Compare only structure and attributes.")
@click.option("--no-attributes", is_flag=True, help="Do not compare attributes.")
@click.option("--storage", is_flag=True, help="Count differences of chunks, codecs, fill value and format too.")
@as_json
@job_options
@access_options
@storage_option("--second-storage-option", of="the file system of B, if it differs from that of A")
def diff(
    first: str,
    second: str,
    path: str,
    second_path: str | None,
    no_values: bool,
    no_attributes: bool,
    as_json: bool,
    job: JobOptions,
    access: Access,
    second_storage_option: dict[str, Any],
    **how: Any,
) -> None:
    """List the differences of two stores: structure, attributes, and values within a tolerance.

    Where both have the same chunks and codecs, encoded chunks are compared, and only those that differ are decoded.
    Exit codes: 0 equal; 1 they differ, or a problem; 2 wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds diff data.zarr s3://bucket/data.zarr --rtol 1e-6
    """
    make = partial(
        _diff_job,
        store_or_place(first),
        store_or_place(second),
        path,
        path if second_path is None else second_path,
        values=not no_values,
        attributes=not no_attributes,
        **how,
        storage_options=access.options(first),
        second_storage_options=access.options(second, second_storage_option) or {},
    )
    report = job.run(make)
    echo_json("diff", report.to_dict()) if as_json else echo_text(str(report))
    if not report.equal:
        raise SystemExit(FAILED)  # builtin: the exit status of the program


def _diff_job(*args: Any, **options: Any) -> Any:
    from zarrds.dask import diff as diff_stores  # imported here, as other commands do not need dask

    return diff_stores(*args, **options)
