"""Arrays and groups as plain JSON values: what the ``--json`` options print."""

from __future__ import annotations

from zarrds._format.v2 import array_to_document
from zarrds._types import JSON
from zarrds.core import Array
from zarrds.hierarchy import Group

__all__ = ["describe", "describe_tree"]


def describe(node: Array | Group) -> dict[str, JSON]:
    """Everything ``.info`` says of a node, and its attributes, with sizes in bytes."""
    return _describe_array(node) if isinstance(node, Array) else _describe_group(node)


def _describe_array(array: Array) -> dict[str, JSON]:
    document = array_to_document(array.source().meta)
    return {
        "path": array.path,
        "type": "array",
        **{name: document[name] for name in ("shape", "chunks", "dtype", "order", "fill_value", "compressor")},
        "filters": document["filters"] or [],
        "nbytes": array.nbytes,
        "nbytes_stored": array.nbytes_stored,
        "nchunks": array.nchunks,
        "nchunks_initialized": array.nchunks_initialized,
        "attributes": array.attrs.asdict(),
    }


def _describe_group(group: Group) -> dict[str, JSON]:
    return {
        "path": group.path,
        "type": "group",
        "groups": [*sorted(group.group_keys())],
        "arrays": [*sorted(group.array_keys())],
        "attributes": group.attrs.asdict(),
    }


def describe_tree(node: Array | Group, level: int | None = None) -> dict[str, JSON]:
    """A node and what lies below it, `level` levels deep; all when None. Arrays with shape and data type."""
    if isinstance(node, Array):
        document = array_to_document(node.source().meta)
        return {"path": node.path, "type": "array", "shape": document["shape"], "dtype": document["dtype"]}
    described: dict[str, JSON] = {"path": node.path, "type": "group"}
    if level is None or level > 0:
        below = None if level is None else level - 1
        described["members"] = {name: describe_tree(member, below) for name, member in sorted(node.items())}
    return described
