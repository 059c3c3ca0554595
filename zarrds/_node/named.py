"""Find nodes whose names are known, without a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zarrds._format import ArrayMeta, GroupMeta, format_of
from zarrds._node.lookup import as_stored, node_key
from zarrds._store import Store
from zarrds.errors import MetadataError

__all__ = ["find_named"]


def find_named(
    store: Store, path: str, names: Sequence[str], zarr_format: int
) -> list[tuple[str, ArrayMeta | GroupMeta, Any]]:
    """Return the nodes with these names below `path`; names without a node are left out.

    Each comes with the document that also has its attributes; None if attributes have a document of their own. Arrays
    cost one batch of requests; groups are searched in a second batch, under the names that are not arrays.
    """
    known = format_of(zarr_format)
    paths = [node_key(path, name) for name in names]
    keys = [known.node_keys(at) for at in paths]
    documents = [[first] for first in store.get_many([(at[0], None) for at in keys])] if paths else []
    unknown = [
        n for n, found in enumerate(documents) if not known.is_array(paths[n], found + [None] * len(keys[n][1:]))
    ]
    others = iter(store.get_many(wanted) if (wanted := [(key, None) for n in unknown for key in keys[n][1:]]) else ())
    for n, found in enumerate(documents):
        found.extend(next(others) if n in unknown else None for _ in keys[n][1:])
    nodes = []
    for name, at, found in zip(names, paths, documents, strict=True):
        try:
            node = known.parse_node(at, found)
        except MetadataError as error:
            error.store = repr(store)
            raise
        if node is not None:
            nodes.append((name, as_stored(store, node), found[0] if known.one_document else None))
    return nodes
