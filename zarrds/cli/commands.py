"""The commands that look at a store, and the group of all commands: arguments in, text or JSON out.

Exit codes: 0 done; 1 a problem of the store, the path in it or the data, printed on standard error; 2 wrong usage; 130
stopped by Ctrl-C.
"""

from __future__ import annotations

import base64
import binascii
import struct
from functools import partial
from typing import Any

import click

from zarrds._escaping import visible
from zarrds._node import bounded_depth
from zarrds.cli.describe import describe, describe_tree
from zarrds.cli.jobs import consolidate, convert, copy, rechunk
from zarrds.cli.options import (
    FAILED,
    JobOptions,
    as_json,
    job_options,
    options_for,
    problems_reported,
    storage_option,
    storage_options,
)
from zarrds.cli.printing import Commands, echo_json, echo_text, json_text
from zarrds.convenience import open as open_node
from zarrds.convenience import tree as text_tree
from zarrds.convenience import verify as verify_store
from zarrds.core import Array
from zarrds.hierarchy import Group

__all__ = ["main"]

_store = click.argument("store", metavar="STORE")
_path = click.argument("path", metavar="[PATH]", default="")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zarrds")
def main() -> None:
    """Look at Zarr arrays and groups; verify, copy, convert, rechunk and consolidate them.

    STORE is the path of a directory or a URL (s3://bucket/data.zarr, https://..., zip::file:///data.zip), PATH the path
    of an array or group inside it.

    Exit codes: 0 done; 1 a problem of the store, the path or the data; 2 wrong usage; 130 stopped by Ctrl-C.
    """


@main.command()
@_store
@_path
@as_json
@storage_options
@storage_option()
def info(store: str, path: str, as_json: bool, storage_options: dict[str, Any], storage_option: dict[str, Any]) -> None:
    """Describe one array or group: type, shape, chunks, codecs, sizes, attributes.

    \b
    Example:
      zarrds info data.zarr temperature
    """
    with problems_reported():
        node = _open(store, path, options_for(store, storage_options, storage_option))
        echo_json(describe(node)) if as_json else echo_text(_info_text(node))


@main.command()
@_store
@_path
@click.option("--level", type=click.IntRange(min=0), metavar="N", help="Descend N levels only.")
@as_json
@storage_options
@storage_option()
def tree(
    store: str,
    path: str,
    level: int | None,
    as_json: bool,
    storage_options: dict[str, Any],
    storage_option: dict[str, Any],
) -> None:
    """Show a group and what is below it, with the shape and data type of each array.

    \b
    Example:
      zarrds tree s3://bucket/data.zarr --storage-option anon=true
    """
    with problems_reported(), bounded_depth(path):
        node = _open(store, path, options_for(store, storage_options, storage_option))
        echo_json(describe_tree(node, level)) if as_json else echo_text(_tree_text(node, level))


@main.command()
@_store
@_path
@click.option(
    "--level",
    type=click.Choice(["keys", "sizes", "decode"]),
    default="keys",
    show_default=True,
    help="List keys and read documents; check sizes of chunks as well; decode all chunks.",
)
@click.option("--clean", is_flag=True, help="Remove temporary files of stopped writers.")
@as_json
@storage_options
@storage_option()
@job_options
def verify(
    store: str,
    path: str,
    level: Any,
    clean: bool,
    as_json: bool,
    storage_options: dict[str, Any],
    storage_option: dict[str, Any],
    job: JobOptions,
) -> None:
    """Look for torn, stray, undecodable and stale values.

    Exit codes: 0 none was found; 1 some were, or the store failed; 2 wrong usage; 130 stopped by Ctrl-C.

    \b
    Example:
      zarrds verify s3://bucket/data.zarr --level decode --workers 4
    """
    options = options_for(store, storage_options, storage_option)
    with problems_reported():
        if job.is_asked_for and not clean and level != "keys":
            report = job.run(partial(_verify_job, store, path, level, storage_options=options))
        else:
            report = verify_store(store, path, level, clean=clean, storage_options=options)
    echo_json(report.to_dict()) if as_json else echo_text(str(report))
    if not report.ok:
        raise SystemExit(FAILED)  # builtin: the exit status of the program


def _verify_job(*args: Any, **options: Any) -> Any:
    from zarrds.dask import verify as verify_by_tasks  # imported here, as other commands do not need dask

    return verify_by_tasks(*args, **options)


for command in (copy, convert, consolidate, rechunk):
    main.add_command(command)


def _open(store: str, path: str, storage_options: dict[str, Any] | None) -> Array | Group:
    return open_node(store, mode="r", path=path, storage_options=storage_options)


def _info_text(node: Array | Group) -> str:
    lines = [repr(node.info).rstrip("\n"), *_more_facts(node)]
    attributes = node.attrs.asdict()
    if attributes:
        lines.append("Attributes")
        lines += [f"  {visible(name)} : {_attribute_text(node, name, value)}" for name, value in attributes.items()]
    return "\n".join(lines)


def _more_facts(node: Array | Group) -> list[str]:
    """Return lines with what the report of the manual lacks."""
    facts: list[tuple[str, object]] = [("Zarr format", node.zarr_format)]
    if isinstance(node, Array):
        facts.append(("Fill value", node.fill_value))
        names = node.source().meta.dimension_names or node.attrs.asdict().get("_ARRAY_DIMENSIONS")
        if isinstance(names, list | tuple):
            facts.append(("Dimension names", ", ".join("-" if name is None else str(name) for name in names)))
    return [visible(f"{label:<19}: {value}") for label, value in facts]


def _attribute_text(node: Array | Group, name: str, value: Any) -> str:
    """Return an attribute as JSON; a fill value that xarray has encoded is decoded as well."""
    text = json_text(value)
    if name != "_FillValue" or not isinstance(node, Array) or not isinstance(value, str) or node.dtype.kind != "f":
        return text
    try:
        (number,) = struct.unpack("<d", base64.b64decode(value, validate=True))
    except (binascii.Error, struct.error):
        return text
    return f"{number:g} (stored as {text})"


def _tree_text(node: Array | Group, level: int | None) -> str:
    if isinstance(node, Array):
        return visible(f"{node.basename or '/'} {node.shape} {node.dtype}")
    return repr(text_tree(node, level=level))
