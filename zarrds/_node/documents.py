"""Documents of new nodes, as keys and texts; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zarrds._format import ArrayMeta, GroupMeta, Node, format_of

__all__ = ["group_documents", "node_documents"]


def node_documents(path: str, meta: Node, attributes: Mapping[str, Any] | None = None) -> list[tuple[str, bytes]]:
    """Return the documents of a new node at `path`, by key; the one that makes it a node is last.

    Without `attributes`, the node has none, and no document is made for them.
    """
    known = format_of(meta)
    documents = known.array_documents(path, meta) if isinstance(meta, ArrayMeta) else known.group_documents(path, meta)
    if attributes is None:
        return documents
    where = known.attributes_key(path)
    text = known.format_attributes(attributes, where, dict(documents).get(where))
    return [(where, text), *[(key, other) for key, other in documents if key != where]]


def group_documents(paths: Sequence[str], zarr_format: int) -> list[tuple[str, bytes]]:
    """Return the documents of new groups without attributes, in the order of `paths`."""
    group = GroupMeta(zarr_format=zarr_format)
    return [document for path in paths for document in node_documents(path, group)]
