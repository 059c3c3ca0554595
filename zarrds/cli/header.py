"""Print a hierarchy as ``ncdump -h`` prints a netCDF file: dimensions, variables and attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zarrds._base.edges import shown
from zarrds._base.unpacking import decoded_fill
from zarrds.cli.describe import codec_names, dimension_names, first_values, plain_values
from zarrds.cli.printing import json_text
from zarrds.core import Array
from zarrds.errors.escaping import visible
from zarrds.hierarchy import Group

__all__ = ["attribute_text", "header_lines"]

_TYPES = {
    "i1": "byte",
    "i2": "short",
    "i4": "int",
    "i8": "int64",
    "u1": "ubyte",
    "u2": "ushort",
    "u4": "uint",
    "u8": "uint64",
    "f4": "float",
    "f8": "double",
}
"""Names of the types in the language of ncdump."""
_TAB = "    "
_HIDDEN = "_ARRAY_DIMENSIONS"


def header_lines(node: Array | Group, name: str, *, values: int = 0) -> Iterator[str]:
    """Yield the lines of a header; with the first `values` values of each variable."""
    yield f"zarr {visible(name)} {{ // Zarr v{node.zarr_format}"
    if isinstance(node, Array):
        yield from _block({node.basename or "data": node}, "", values)
    else:
        yield from _group(node, "", values)
    yield "}"


def _group(group: Group, indent: str, values: int) -> Iterator[str]:
    members, failed = group.open_members()
    arrays = {name: member for name, member in members.items() if isinstance(member, Array)}
    yield from _block(arrays, indent, values)
    for name, error in failed.items():
        yield f"{indent}{_TAB}// {visible(name)} cannot be opened: {visible(str(error))}"
    attributes = group.attrs.asdict()
    if attributes:
        yield ""
        yield f"{indent}// {'group' if indent else 'global'} attributes:"
        yield from (f"{indent}{_TAB}{_TAB}:{visible(key)} = {_value(value)} ;" for key, value in attributes.items())
    for name, member in members.items():
        if isinstance(member, Group):
            yield ""
            yield f"{indent}group: {visible(name)} {{"
            yield from _group(member, indent + "  ", values)
            yield f"{indent}}} // group {visible(name)}"


def _block(arrays: dict[str, Array], indent: str, values: int) -> Iterator[str]:
    """Yield the dimensions and variables of one group."""
    sizes = _dimensions(arrays)
    if sizes:
        yield f"{indent}dimensions:"
        for name, lengths in sizes.items():
            note = f" // {', '.join(map(str, lengths[1:]))} in other variables" if len(lengths) > 1 else ""
            yield f"{indent}{_TAB}{visible(name)} = {lengths[0]} ;{note}"
    if arrays:
        yield f"{indent}variables:"
    for name, array in arrays.items():
        yield from _variable(name, array, indent + _TAB)
        if values:
            yield f"{indent}{_TAB}{_TAB}// {_first(array, values)}"


def _dimensions(arrays: dict[str, Array]) -> dict[str, list[int]]:
    """Return the lengths of each named dimension: one, unless variables disagree."""
    found: dict[str, list[int]] = {}
    for array in arrays.values():
        for name, length in zip(dimension_names(array) or (), array.shape, strict=False):
            if name is not None and length not in found.setdefault(name, []):
                found[name].append(length)
    return found


def _variable(name: str, array: Array, indent: str) -> Iterator[str]:
    names = dimension_names(array) or [None] * array.ndim
    axes = [str(length) if name is None else name for name, length in zip(names, array.shape, strict=True)]
    kind = _TYPES.get(array.dtype.str[1:], "string" if array.dtype.kind in "OSU" else str(array.dtype))
    yield f"{indent}{visible(kind)} {visible(name)}{visible('(' + ', '.join(axes) + ')') if axes else ''} ;"
    for key, value in array.attrs.asdict().items():
        if key != _HIDDEN:
            yield f"{indent}{_TAB}{visible(name)}:{visible(key)} = {_value(_decoded(array, key, value))} ;"
    meta = array.source().meta
    layout = [f"chunks {shown(meta.chunks)}"] + ([f"shards {shown(meta.shards)}"] if meta.shards else [])
    layout += [", ".join(codec_names(array)) or "not compressed", f"fill value {array.fill_value}"]
    yield f"{indent}{_TAB}// {visible('; '.join(layout))}"


def _first(array: Array, count: int) -> str:
    """Return the first values of an array as text."""
    found = first_values(array, count)
    more = ", ..." if array.size > found.size else ""
    return visible((", ".join(map(str, plain_values(found))) or "no values") + more)


def _decoded(node: Array | Group, name: str, value: Any) -> Any:
    """Return an attribute; a fill value that xarray has encoded is decoded."""
    return decoded_fill(value, node.dtype) if isinstance(node, Array) and name == "_FillValue" else value


def attribute_text(node: Array | Group, name: str, value: Any) -> str:
    """Return an attribute as JSON; a fill value that xarray has encoded is shown decoded, and as it is stored."""
    text, decoded = json_text(value), _decoded(node, name, value)
    return text if decoded is value else f"{decoded:g} (stored as {text})"


def _value(value: Any) -> str:
    """Return an attribute in the language of ncdump: lists have commas, all else is JSON."""
    if isinstance(value, list) and value and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(map(_value, value))
    return json_text(value).strip('"') if isinstance(value, float) else json_text(value)
