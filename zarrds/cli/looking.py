"""The commands that show what is there without reading chunks: info, tree, ls, head."""

from __future__ import annotations

from typing import Any

import click

from zarrds._base.edges import shown
from zarrds._engine import windows
from zarrds._node import bounded_depth
from zarrds._store import normalize_path, sizes_of
from zarrds.cli.describe import (
    Line,
    codec_names,
    describe,
    describe_tree,
    dimension_names,
    lines_of,
    stored_bytes,
)
from zarrds.cli.header import attribute_text, header_lines
from zarrds.cli.options import Access, access_options, as_json, path_argument, store_argument
from zarrds.cli.places import opened, store_at
from zarrds.cli.printing import echo_facts, echo_json, echo_table, echo_text, size_of
from zarrds.core import Array
from zarrds.errors import MetadataError, PathNotFoundError
from zarrds.errors.escaping import visible
from zarrds.hierarchy import Group

__all__ = ["head", "info", "ls", "tree"]

_MOST_KEYS = 512
"""Keys whose sizes are asked for at a time."""


_sizes_option = click.option(
    "--sizes/--no-sizes",
    default=None,
    help="Show stored bytes, for which all keys are listed; by default unless the store is on a network.",
)


def _wants_sizes(node: Array | Group, asked: bool | None) -> bool:
    return node.store.profile.kind != "network" if asked is None else asked


@click.command()
@store_argument
@path_argument
@as_json
@access_options
def info(store: str, path: str, as_json: bool, access: Access) -> None:
    """Describe one array or group: type, shape, chunks, codecs, sizes, attributes.

    \b
    Example:
      zarrds info data.zarr temperature
    """
    node = opened(store, path, access.options(store))
    if as_json:
        echo_json("info", describe(node))
        return
    echo_facts([*((label, str(value)) for label, value in node.info_items()), *_more_facts(node)])
    attributes = node.attrs.asdict()
    if attributes:
        echo_text("Attributes")
        for name, value in attributes.items():
            echo_text(f"  {visible(name)} : {attribute_text(node, name, value)}")


def _more_facts(node: Array | Group) -> list[tuple[str, str]]:
    """Return rows with what the report of the manual lacks."""
    facts: list[tuple[str, str]] = [("Zarr format", str(node.zarr_format))]
    if isinstance(node, Array):
        facts.append(("Fill value", str(node.fill_value)))
        names = dimension_names(node)
        if names is not None:
            facts.append(("Dimension names", ", ".join("-" if name is None else name for name in names)))
    return facts


# --- tree -------------------------------------------------------------------------------------------------------------


@click.command()
@store_argument
@path_argument
@click.option("--level", type=click.IntRange(min=0), metavar="N", help="Descend N levels only.")
@_sizes_option
@as_json
@access_options
def tree(store: str, path: str, level: int | None, sizes: bool | None, as_json: bool, access: Access) -> None:
    """Show a group and what is below it: shapes, types, chunks, codecs, stored sizes and compression ratios.

    \b
    Example:
      zarrds tree s3://bucket/data.zarr --anon
    """
    node = opened(store, path, access.options(store))
    sizes = _wants_sizes(node, sizes)
    with bounded_depth(path):
        if as_json:
            echo_json("tree", describe_tree(node, level, sizes=sizes))
            return
        lines = lines_of(node, level, sizes=sizes)
    echo_table(*_tree_table(lines, sizes=sizes), right=("stored", "ratio"))


def _tree_table(lines: list[Line], *, sizes: bool) -> tuple[list[str], list[list[str]]]:
    header = ["node", "chunks", "codecs", *(["stored", "ratio"] if sizes else [])]
    rows = []
    for line in lines:
        row = [line.indent + visible(_label(line)), *_layout(line.node)]
        if sizes:
            row += [size_of(line.stored) if line.stored else "", _ratio(line)]
        rows.append(row)
    return header, rows


def _label(line: Line) -> str:
    if isinstance(line.node, Array):
        return f"{line.name} {line.node.shape} {line.node.dtype}"
    if isinstance(line.node, MetadataError):
        what = line.node.codec or line.node.found
        return f"{line.name} (cannot be opened: {line.node.message}{f', {what}' if what else ''})"
    return line.name


def _layout(node: Any) -> list[str]:
    if not isinstance(node, Array):
        return ["", ""]
    meta = node.source().meta
    shards = "" if meta.shards is None else f" in {shown(meta.shards)}"
    return [f"{shown(meta.chunks)}{shards}", ", ".join(codec_names(node))]


def _ratio(line: Line) -> str:
    return f"{line.node.nbytes / line.stored:.1f}" if isinstance(line.node, Array) and line.stored else ""


# --- ls ---------------------------------------------------------------------------------------------------------------


@click.command()
@store_argument
@path_argument
@click.option("--long", "-l", "is_long", is_flag=True, help="Show types, shapes, chunks, codecs and stored bytes.")
@click.option("--keys", is_flag=True, help="List all keys of the store below PATH, with their sizes.")
@_sizes_option
@as_json
@access_options
def ls(store: str, path: str, is_long: bool, keys: bool, sizes: bool | None, as_json: bool, access: Access) -> None:
    """List the members of a group, one on a line; or the keys of a store.

    \b
    Example:
      zarrds ls data.zarr group -l
    """
    if keys:
        _list_keys(store, path, access, as_json=as_json)
        return
    node = opened(store, path, access.options(store))
    if isinstance(node, Array):
        members: dict[str, Any] = {node.basename or "/": node}
    else:
        found, failed = node.open_members()
        members = dict(sorted({**found, **failed}.items()))
    if as_json:
        echo_json("ls", {"path": node.path, "members": [_member(name, one) for name, one in members.items()]})
    elif is_long:
        sizes = _wants_sizes(node, sizes)
        rows = [_long_row(name, member, sizes=sizes) for name, member in members.items()]
        header = ["name", "kind", "shape", "dtype", "chunks", "codecs", *(["stored"] if sizes else [])]
        echo_table(header, rows, right=("stored",))
    else:
        for name, member in members.items():
            echo_text(visible(name) + ("/" if isinstance(member, Group) else ""))


def _member(name: str, member: Any) -> dict[str, Any]:
    if isinstance(member, MetadataError):
        return {"name": name, "type": "array", "error": str(member)}
    return {"name": name, **describe_tree(member, 0)}


def _long_row(name: str, member: Any, *, sizes: bool) -> list[str]:
    if isinstance(member, Array):
        row = [name, "array", str(member.shape), str(member.dtype), *_layout(member)]
        return [*row, size_of(stored_bytes(member))] if sizes else row
    kind = "group" if isinstance(member, Group) else "cannot be opened"
    return [name, kind, *[""] * (5 if sizes else 4)]


def _list_keys(store: str, path: str, access: Access, *, as_json: bool) -> None:
    place = store_at(store, access.options(store))
    found: list[dict[str, Any]] = []
    is_empty = True
    prefix = normalize_path(path)
    for keys in windows(sorted(place.keys_below(f"{prefix}/" if prefix else "")), _MOST_KEYS):
        for key, size in zip(keys, sizes_of(place, keys), strict=True):
            if as_json:
                found.append({"key": key, "nbytes": size})
            else:
                echo_text(f"{'-' if size is None else size:>12}  {visible(key)}")
        is_empty = False
    if is_empty:
        raise PathNotFoundError("there are no keys", store=repr(place), path=path, hint="check the spelling")
    if as_json:
        echo_json("ls", {"path": path, "keys": found})


# --- head -------------------------------------------------------------------------------------------------------------


@click.command()
@store_argument
@path_argument
@click.option(
    "--values",
    "-n",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show the first N values of each variable too; by default 10 of a single array, and none of a group.",
)
@as_json
@access_options
def head(store: str, path: str, values: int | None, as_json: bool, access: Access) -> None:
    """Print the header of a store as ncdump -h does: dimensions, variables and all attributes.

    \b
    Example:
      zarrds head data.zarr
    """
    node = opened(store, path, access.options(store))
    count = (10 if isinstance(node, Array) else 0) if values is None else values
    name = store.rstrip("/").rpartition("/")[2]
    with bounded_depth(path):
        if as_json:
            echo_json("head", describe_tree(node, attributes=True, values=count))
            return
        for line in header_lines(node, f"{name}/{path}".rstrip("/") if path else name, values=count):
            echo_text(line)
