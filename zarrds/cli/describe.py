"""Describe arrays and groups as plain JSON values, for the ``--json`` options and for tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zarrds._base.edges import Grid
from zarrds._base.types import JSON, NDArrayAny
from zarrds._format import Place, format_of, loads
from zarrds.core import Array
from zarrds.errors import MetadataError, NotListableError
from zarrds.hierarchy import Group

__all__ = [
    "Line",
    "as_python",
    "codec_names",
    "describe",
    "describe_tree",
    "dimension_names",
    "first_values",
    "lines_of",
    "plain_values",
    "stored_bytes",
]


def describe(node: Array | Group) -> dict[str, JSON]:
    """Return the contents of ``.info`` of a node, and its attributes, with sizes in bytes."""
    return _describe_array(node) if isinstance(node, Array) else _describe_group(node)


def _describe_array(array: Array) -> dict[str, JSON]:
    names = dimension_names(array)
    return {
        "path": array.path,
        "type": "array",
        "zarr_format": array.zarr_format,
        **_said(array),
        "dimension_names": None if names is None else [*names],
        "nbytes": array.nbytes,
        "nbytes_stored": stored_bytes(array),
        "nchunks": array.nchunks,
        "nchunks_initialized": _count_initialized(array),
        "attributes": array.attrs.asdict(),
    }


def _count_initialized(array: Array) -> int | None:
    try:
        return array.nchunks_initialized
    except NotListableError:
        return None  # as the text says "unknown"


def _said(array: Array) -> dict[str, JSON]:
    """Return the members of the array's document, under the names of its format."""
    meta = array.source().meta
    document = _document(array)
    members: tuple[str, ...]
    if meta.chunk.serializer is None:
        members = ("shape", "chunks", "dtype", "order", "fill_value", "compressor")
        return {**{name: document[name] for name in members}, "filters": document["filters"] or []}
    members = ("shape", "data_type", "fill_value", "codecs", "chunk_key_encoding")
    said = {name: document[name] for name in members if name in document}
    return {**said, **_chunks(array)}


_MOST_LENGTHS = 10_000


def _chunks(array: Array) -> dict[str, JSON]:
    """Return the shapes of chunks and shards; very many lengths are pairs of length and count, as in the document."""
    meta = array.source().meta
    return {"chunks": _lengths(meta.chunks), "shards": None if meta.shards is None else _lengths(meta.shards)}


def _lengths(grid: Grid) -> list[JSON]:
    return [
        edges if isinstance(edges, int) else [*edges.lengths()] if edges.count <= _MOST_LENGTHS else edges.to_json()
        for edges in grid
    ]


def _document(array: Array) -> dict[str, JSON]:
    meta = array.source().meta
    ((key, text),) = format_of(meta).array_documents("", meta)
    return Place(key).expect_object(loads(text, key))


def _describe_group(group: Group) -> dict[str, JSON]:
    return {
        "path": group.path,
        "type": "group",
        "zarr_format": group.zarr_format,
        "groups": [*sorted(group.group_keys())],
        "arrays": [*sorted(group.array_keys())],
        "attributes": group.attrs.asdict(),
    }


def dimension_names(array: Array) -> list[str | None] | None:
    """Return the names of dimensions: a member in Zarr v3, an attribute of xarray's in Zarr v2; None without names."""
    names: Any = array.dimension_names or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, list | tuple) or len(names) != array.ndim:
        return None
    return [None if name is None else str(name) for name in names]


def codec_names(array: Array) -> list[str]:
    """Return short names of the codecs in the order of encoding, with their level or method."""
    serializer = array.serializer
    between = [] if serializer is None or serializer.name == "bytes" else [serializer.name]
    return [*map(_codec_name, array.filters or ()), *between, *map(_codec_name, array.compressors)]


def _codec_name(codec: Any) -> str:
    if hasattr(codec, "get_config"):
        config = dict(codec.get_config())
        name = str(config.pop("id", type(codec).__name__))
    else:
        name, config = codec.name, codec.configuration
    shown = [str(config[key]) for key in ("cname", "level", "clevel") if config.get(key) is not None]
    return f"{name}({', '.join(shown)})" if shown else name


# --- trees ------------------------------------------------------------------------------------------------------------


def describe_tree(node: Array | Group, level: int | None = None, **more: Any) -> dict[str, JSON]:
    """Return a node and the nodes below it, `level` levels deep (None: all); arrays with their layout.

    Parameters
    ----------
    node : Array or Group
        Where to begin.
    level : int, optional
        How many levels to descend.
    **more
        What else is described: ``sizes=True`` (bytes), ``attributes=True`` (with dimension names and fill values),
        ``values=N`` (the first N of each array).
    """
    if isinstance(node, Array):
        return _describe_leaf(node, **more)
    described: dict[str, JSON] = {"path": node.path, "type": "group"}
    if more.get("attributes"):
        described["attributes"] = node.attrs.asdict()
    if level is None or level > 0:
        below = None if level is None else level - 1
        members, failed = node.open_members()
        found: dict[str, JSON] = {name: describe_tree(one, below, **more) for name, one in members.items()}
        found |= {name: {"type": "array", "error": str(error)} for name, error in failed.items()}
        described["members"] = {name: found[name] for name in sorted(found)}
    return described


def _describe_leaf(array: Array, *, sizes: bool = False, attributes: bool = False, values: int = 0) -> dict[str, JSON]:
    document = _document(array)
    described: dict[str, JSON] = {
        "path": array.path,
        "type": "array",
        "shape": document["shape"],
        "dtype": document.get("dtype", document.get("data_type")),
        **_chunks(array),
        "codecs": [*codec_names(array)],
    }
    if sizes:
        described |= {"nbytes": array.nbytes, "nbytes_stored": stored_bytes(array)}
    if attributes:
        names = dimension_names(array)
        described |= {"dimension_names": None if names is None else [*names], "fill_value": document["fill_value"]}
        described["attributes"] = array.attrs.asdict()
    if values:
        described["first_values"] = plain_values(first_values(array, values))
    return described


def first_values(array: Array, count: int) -> NDArrayAny:
    """Return the first values of an array in C order, at most those of its first row; only their chunks are read."""
    if not array.size:
        return np.empty(0, array.dtype)
    index = (0,) * (array.ndim - 1) + (slice(0, count),) if array.ndim else ()
    return np.atleast_1d(np.asarray(array[index]))


def as_python(values: NDArrayAny) -> list[Any]:
    """Return values as lists of Python's objects; numbers with as many digits as their own precision needs.

    Times stay as they are, since numpy turns some of them into integers.
    """
    if values.dtype.kind in "mM":
        return list(values)
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        values = values.astype("U32").astype("f8")  # 0.1 of float32 is not 0.10000000149011612
    found: list[Any] = values.tolist()
    return found


def plain_values(values: NDArrayAny) -> Any:
    """Return values as JSON: numbers and texts as they are, all else (times, bytes, complex numbers) as text."""
    kind = values.dtype.kind
    if kind in "biufU":
        return as_python(values)
    if kind in "mMS":
        return values.astype("U").tolist() if kind != "S" else np.char.decode(values, "latin-1").tolist()
    return [str(item) for item in values.ravel()] if values.ndim == 1 else _nested(values)


def _nested(values: NDArrayAny) -> Any:
    return [plain_values(np.asarray(row)) for row in values] if values.ndim else str(values[()])


@dataclass(frozen=True, slots=True)
class Line:
    """One node of a tree, as a line of text.

    Attributes
    ----------
    indent : str
        What is drawn before the name.
    name : str
        Name of the node, not escaped.
    node : Array, Group or MetadataError
        The node, or why it cannot be opened.
    stored : int, optional
        Bytes stored for it and for the arrays below it, if that was asked for and is known.
    """

    indent: str
    name: str
    node: Array | Group | MetadataError
    stored: int | None = None


def lines_of(node: Array | Group, level: int | None, *, sizes: bool) -> list[Line]:
    """Return a node and the nodes below it, `level` levels deep (None: all), in the order in which they are drawn."""
    name = node.basename or "/"
    return list(_lines(node, name, "", "", level, sizes=sizes))


def _lines(node: Any, name: str, indent: str, trunk: str, level: int | None, *, sizes: bool) -> Iterator[Line]:
    own = Line(indent, name, node, stored_bytes(node) if sizes and isinstance(node, Array) else None)
    if not isinstance(node, Group) or level == 0:
        yield own
        return
    members, failed = node.open_members()
    every: dict[str, Any] = {**members, **failed}
    lines: list[Line] = []
    for number, key in enumerate(sorted(every), start=1):
        last = number == len(every)
        branch, below = (" └── ", "    ") if last else (" ├── ", " │  ")
        deeper = None if level is None else level - 1
        lines += _lines(every[key], key, trunk + branch, trunk + below, deeper, sizes=sizes)
    if sizes:
        known = [line.stored for line in lines if isinstance(line.node, Array)]
        own = replace(own, stored=None if None in known else sum(size or 0 for size in known))
    yield own
    yield from lines


def stored_bytes(array: Array) -> int | None:
    """Return the bytes stored for an array; None where the store cannot tell."""
    try:
        size = array.nbytes_stored
    except NotListableError:
        return None
    return size if size >= 0 else None
