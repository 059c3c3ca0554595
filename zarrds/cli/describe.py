"""Describe arrays and groups as plain JSON values, for the ``--json`` options."""

from __future__ import annotations

from zarrds._format import Place, format_of, loads
from zarrds._types import JSON
from zarrds.core import Array
from zarrds.hierarchy import Group

__all__ = ["describe", "describe_tree"]


def describe(node: Array | Group) -> dict[str, JSON]:
    """Return the contents of ``.info`` of a node, and its attributes, with sizes in bytes."""
    return _describe_array(node) if isinstance(node, Array) else _describe_group(node)


def _describe_array(array: Array) -> dict[str, JSON]:
    return {
        "path": array.path,
        "type": "array",
        **_said(array),
        "nbytes": array.nbytes,
        "nbytes_stored": array.nbytes_stored,
        "nchunks": array.nchunks,
        "nchunks_initialized": array.nchunks_initialized,
        "attributes": array.attrs.asdict(),
    }


def _said(array: Array) -> dict[str, JSON]:
    """Return the members of the array's document, under the names of its format."""
    meta = array.source().meta
    document = _document(array)
    if meta.chunk.serializer is None:
        members = ("shape", "chunks", "dtype", "order", "fill_value", "compressor")
        return {**{name: document[name] for name in members}, "filters": document["filters"] or []}
    members = ("shape", "data_type", "fill_value", "codecs", "chunk_key_encoding", "dimension_names")
    shards: JSON = None if array.shards is None else list(array.shards)
    said = {name: document[name] for name in members if name in document}
    return {"zarr_format": array.zarr_format, **said, "chunks": list(array.chunks), "shards": shards}


def _document(array: Array) -> dict[str, JSON]:
    meta = array.source().meta
    ((key, text),) = format_of(meta).array_documents("", meta)
    return Place(key).expect_object(loads(text, key))


def _describe_group(group: Group) -> dict[str, JSON]:
    return {
        "path": group.path,
        "type": "group",
        "groups": [*sorted(group.group_keys())],
        "arrays": [*sorted(group.array_keys())],
        "attributes": group.attrs.asdict(),
    }


def describe_tree(node: Array | Group, level: int | None = None) -> dict[str, JSON]:
    """Return a node and the nodes below it, `level` levels deep (None: all); arrays with shape and data type."""
    if isinstance(node, Array):
        document = _document(node)
        dtype = document.get("dtype", document.get("data_type"))
        return {"path": node.path, "type": "array", "shape": document["shape"], "dtype": dtype}
    described: dict[str, JSON] = {"path": node.path, "type": "group"}
    if level is None or level > 0:
        below = None if level is None else level - 1
        members, failed = node.open_members()
        found: dict[str, JSON] = {name: describe_tree(member, below) for name, member in members.items()}
        found |= {name: {"type": "array", "error": str(error)} for name, error in failed.items()}
        described["members"] = {name: found[name] for name in sorted(found)}
    return described
