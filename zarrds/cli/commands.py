"""The subcommands: arguments in, text or JSON out.

Exit codes: 0 done; 1 a problem of the store, the path in it or the data, printed on standard error; 2 wrong usage.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from zarrds._escaping import visible
from zarrds._node import bounded_depth
from zarrds.cli.describe import describe, describe_tree
from zarrds.cli.printing import Commands, echo_json, echo_text, json_text
from zarrds.convenience import convert as convert_store
from zarrds.convenience import copy_store
from zarrds.convenience import open as open_node
from zarrds.convenience import tree as text_tree
from zarrds.convenience import verify as verify_store
from zarrds.core import Array
from zarrds.errors import PathNotFoundError, ZarrdsError
from zarrds.hierarchy import Group

__all__ = ["main"]


def _json_object(ctx: click.Context, param: click.Parameter, value: str) -> dict[str, Any]:
    """Parse the JSON object given to an option; any other text is wrong usage."""
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise click.BadParameter("expected a JSON object")
    return parsed


_store = click.argument("store", metavar="STORE")
_path = click.argument("path", metavar="[PATH]", default="")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_storage_options = click.option(
    "--storage-options",
    callback=_json_object,
    default="{}",
    metavar="JSON",
    help="Options of the file system behind a URL, e.g. '{\"anon\": true}'.",
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zarrds")
def main() -> None:
    """Look at Zarr arrays and groups, verify, copy and convert them.

    STORE is the path of a directory or a URL (s3://bucket/data.zarr, https://..., zip::file:///data.zip), PATH the path
    of an array or group inside it.
    """


@main.command()
@_store
@_path
@_json
@_storage_options
def info(store: str, path: str, as_json: bool, storage_options: dict[str, Any]) -> None:
    """Describe one array or group: type, shape, chunks, codecs, sizes, attributes."""
    with _problems_reported():
        node = _open(store, path, storage_options)
        echo_json(describe(node)) if as_json else echo_text(_info_text(node))


@main.command()
@_store
@_path
@click.option("--level", type=click.IntRange(min=0), metavar="N", help="Descend N levels only.")
@_json
@_storage_options
def tree(store: str, path: str, level: int | None, as_json: bool, storage_options: dict[str, Any]) -> None:
    """Show a group and what is below it, with the shape and data type of each array."""
    with _problems_reported(), bounded_depth(path):
        node = _open(store, path, storage_options)
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
@_json
@_storage_options
def verify(store: str, path: str, level: Any, clean: bool, as_json: bool, storage_options: dict[str, Any]) -> None:
    """Look for torn, stray, undecodable and stale values; exit code 1 when there are any."""
    with _problems_reported():
        report = verify_store(store, path, level, clean=clean, storage_options=storage_options)
    echo_json(report.to_dict()) if as_json else echo_text(str(report))
    if not report.ok:
        raise SystemExit(1)  # builtin: the exit status of the program


@main.command()
@click.argument("source", metavar="SRC")
@click.argument("dest", metavar="DST")
@click.option("--source-path", default="", metavar="PATH", help="Copy only what is below PATH.")
@click.option("--dest-path", default="", metavar="PATH", help="Copy to PATH inside DST.")
@click.option(
    "--if-exists",
    type=click.Choice(["raise", "replace", "skip"]),
    default="raise",
    show_default=True,
    help="What to do with keys that DST holds already.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be copied, and copy nothing.")
@click.option("--quiet", is_flag=True, help="Print the last line only.")
def copy(source: str, dest: str, source_path: str, dest_path: str, if_exists: str, dry_run: bool, quiet: bool) -> None:
    """Copy a store, or a part of one, as it is: encoded chunks are not decoded."""
    last: list[str] = [""]
    with _problems_reported():
        counts = copy_store(
            source,
            dest,
            source_path,
            dest_path,
            if_exists=if_exists,
            dry_run=dry_run,
            log=(lambda line: last.__setitem__(0, line)) if quiet else echo_text,
        )
        if not any(counts):
            raise PathNotFoundError(path=source_path, hint="there is nothing to copy; check the spelling of SRC")
    if quiet:
        echo_text(last[0])


@main.command()
@click.argument("source", metavar="SRC")
@click.argument("dest", metavar="[DEST]", required=False)
@click.option("--to", type=click.Choice(["2", "3"]), default="3", show_default=True, help="The new format.")
@click.option("--path", default="", metavar="PATH", help="Convert only what is at and below PATH.")
@click.option("--dest-path", default="", metavar="PATH", help="Convert to PATH inside DEST.")
@click.option("--keep", is_flag=True, help="Keep the old documents when converting in place.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def convert(source: str, dest: str | None, to: str, path: str, dest_path: str, keep: bool, quiet: bool) -> None:
    """Convert a hierarchy to another format: in place, or from SRC to DEST.

    What the new format cannot express is refused before anything is written. Run it again if it was stopped.
    """
    with _problems_reported():
        node = convert_store(
            source, dest, int(to), path=path, dest_path=dest_path, keep=keep, log=None if quiet else echo_text
        )
        if not quiet:
            echo_text(visible(f"all done: {node.name or '/'} is in Zarr v{node.zarr_format}"))


@contextmanager
def _problems_reported() -> Iterator[None]:
    """Turn errors of a store or its data into one line on standard error and exit code 1."""
    try:
        yield
    except (ZarrdsError, OSError, ValueError, ImportError, MemoryError, zipfile.BadZipFile) as error:
        # other errors: systems that do not answer, and URLs that fsspec does not know or lacks a package for
        raise click.ClickException(str(error) or type(error).__name__) from error


def _open(store: str, path: str, storage_options: dict[str, Any]) -> Array | Group:
    return open_node(store, mode="r", path=path, storage_options=storage_options)


def _info_text(node: Array | Group) -> str:
    lines = [repr(node.info).rstrip("\n")]
    attributes = node.attrs.asdict()
    if attributes:
        lines.append("Attributes")
        lines += [f"  {visible(name)} : {json_text(value)}" for name, value in attributes.items()]
    return "\n".join(lines)


def _tree_text(node: Array | Group, level: int | None) -> str:
    if isinstance(node, Array):
        return visible(f"{node.basename or '/'} {node.shape} {node.dtype}")
    return repr(text_tree(node, level=level))
