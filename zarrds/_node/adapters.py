"""Find arrays and groups in other layouts (N5, Zarr v1, experimental v3) and give stores that adapt them to Zarr v2."""

from __future__ import annotations

from zarrds._format import DOCUMENT_NAMES, Node, loads, n5, v2, v3_experimental
from zarrds._node import lookup, v1
from zarrds._store import DocumentStore, ExperimentalV3Store, N5Mapping, ReadOnlyStore, Store
from zarrds.errors import MetadataError, UnsupportedFormatError

__all__ = ["locate_node", "other_layout"]


def locate_node(
    store: Store, path: str, zarr_format: int | None, mode: str, *, array_first: bool = False
) -> tuple[Store, Node | None]:
    """Return the node at `path` in any layout, and the store to use for it: the given one, or an adapter around it.

    This costs one batch of requests, and a second one only if the first finds nothing.
    """
    zarr_format = store.preferred_format if zarr_format is None else zarr_format
    try:
        node = lookup.find_node(store, path, zarr_format, array_first=array_first)
    except MetadataError:
        other = other_layout(store, mode)
        if other is None:
            raise
    else:
        other = None if node is not None else other_layout(store, mode)
        if other is None:
            return store, node
    return other, lookup.find_node(other, path)


def other_layout(store: Store, mode: str) -> Store | None:
    """Return an adapter if the store holds N5, Zarr v1 or experimental Zarr v3; else None."""
    if store.documents_format is not None or isinstance(store, DocumentStore):
        return None
    entry_point, attributes, old = store.get_many(
        [(key, None) for key in (v3_experimental.ENTRY_POINT_KEY, n5.ATTRIBUTES_KEY, v1.META)]
    )
    if entry_point is not None and v3_experimental.is_entry_point(entry_point):
        return ExperimentalV3Store(store)
    if attributes is not None:
        return N5Mapping(store)
    return None if old is None or not v1.is_old(old) else _old_array(store, mode)


def _old_array(store: Store, mode: str) -> Store:
    """Return the metadata of a Zarr v1 array, for reading."""
    if mode != "r":
        raise UnsupportedFormatError(
            "an array of Zarr v1 can be read only",
            store=repr(store),
            key=v1.META,
            hint="open it with mode='r', or turn it into one of Zarr v2 with zarrds.storage.migrate_1to2(store)",
        )
    text, attributes = store.get_many([(key, None) for key in (v1.META, v1.ATTRS)])
    assert text is not None
    documents = {v2.ARRAY_KEY: v2.array_to_document(v1.parse(text))}
    if attributes is not None:
        documents[v2.ATTRS_KEY] = loads(attributes, v1.ATTRS)  # type: ignore[assignment]
    names = (*sorted(DOCUMENT_NAMES), v1.META, v1.ATTRS)  # the adapter hides the old documents
    return ReadOnlyStore(DocumentStore(store, dict(documents), names))
