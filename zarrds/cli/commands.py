"""The subcommands: arguments in, text or JSON out.

Exit codes: 0 done; 1 the store, the path in it or the data has a problem, told on standard error; 2 wrong usage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from zarrds._types import JSON
from zarrds.cli.describe import describe, describe_tree
from zarrds.convenience import open as open_node
from zarrds.convenience import tree as text_tree
from zarrds.core import Array
from zarrds.errors import ZarrdsError
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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zarrds")
def main() -> None:
    """Look at Zarr arrays and groups.

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
    with _problems_told():
        node = _open(store, path, storage_options)
        click.echo(_json_text(describe(node)) if as_json else _info_text(node))


@main.command()
@_store
@_path
@click.option("--level", type=click.IntRange(min=0), metavar="N", help="Descend N levels only.")
@_json
@_storage_options
def tree(store: str, path: str, level: int | None, as_json: bool, storage_options: dict[str, Any]) -> None:
    """Show a group and what is below it, with the shape and data type of each array."""
    with _problems_told():
        node = _open(store, path, storage_options)
        click.echo(_json_text(describe_tree(node, level)) if as_json else _tree_text(node, level))


@contextmanager
def _problems_told() -> Iterator[None]:
    """Turn what a store or its data may raise into one line on standard error and exit code 1."""
    try:
        yield
    except (ZarrdsError, OSError, ValueError, ImportError) as error:
        # besides our own: systems that do not answer, and URLs that fsspec does not know or lacks a package for
        raise click.ClickException(str(error) or type(error).__name__) from error


def _open(store: str, path: str, storage_options: dict[str, Any]) -> Array | Group:
    return open_node(store, mode="r", path=path, storage_options=storage_options)


def _json_text(value: dict[str, JSON]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _info_text(node: Array | Group) -> str:
    lines = [repr(node.info).rstrip("\n")]
    attributes = node.attrs.asdict()
    if attributes:
        lines.append("Attributes")
        lines += [f"  {name} : {json.dumps(value, ensure_ascii=False)}" for name, value in attributes.items()]
    return "\n".join(lines)


def _tree_text(node: Array | Group, level: int | None) -> str:
    if isinstance(node, Array):
        return f"{node.basename or '/'} {node.shape} {node.dtype}"
    return repr(text_tree(node, level=level))
