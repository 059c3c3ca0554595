"""Arrays and groups in layouts other than those of the formats: found when nothing else is, and shown as stores."""

from __future__ import annotations

from zarrds import _migration, _nodes
from zarrds._format import n5, v2, v3_experimental
from zarrds._format.formats import DOCUMENT_NAMES, Node
from zarrds._format.jsondoc import loads
from zarrds._store.base import Store
from zarrds._store.consolidated import DocumentStore
from zarrds._store.n5 import N5Mapping
from zarrds._store.readonly import ReadOnlyStore
from zarrds._store.v3_experimental import ExperimentalV3Store
from zarrds.errors import MetadataError, UnsupportedFormatError

__all__ = ["find_node", "other_layout"]


def find_node(
    store: Store, path: str, zarr_format: int | None, mode: str, *, array_first: bool = False
) -> tuple[Store, Node | None]:
    """Load whatever is at `path`, in any layout, and the store to go on with: itself, or what shows another layout.

    One batch of requests, and another one only where that finds nothing.
    """
    try:
        node = _nodes.find_node(store, path, zarr_format, array_first=array_first)
    except MetadataError:
        other = other_layout(store, mode)
        if other is None:
            raise
    else:
        other = None if node is not None else other_layout(store, mode)
        if other is None:
            return store, node
    return other, _nodes.find_node(other, path)


def other_layout(store: Store, mode: str) -> Store | None:
    """What shows a hierarchy of another layout that is in a store; None when there is none."""
    if store.documents_format is not None or isinstance(store, DocumentStore):
        return None
    entry_point, attributes, old = store.get_many(
        [(key, None) for key in (v3_experimental.ENTRY_POINT_KEY, n5.ATTRIBUTES_KEY, _migration.META)]
    )
    if entry_point is not None and v3_experimental.is_entry_point(entry_point):
        return ExperimentalV3Store(store)
    if attributes is not None:
        return N5Mapping(store)
    return None if old is None or not _migration.is_old(old) else _old_array(store, mode)


def _old_array(store: Store, mode: str) -> Store:
    """An array of format 1, for reading."""
    if mode != "r":
        raise UnsupportedFormatError(
            "an array of format 1 can be read only",
            store=repr(store),
            key=_migration.META,
            hint="open it with mode='r', or turn it into one of format 2 with zarrds.storage.migrate_1to2(store)",
        )
    text, attributes = store.get_many([(key, None) for key in (_migration.META, _migration.ATTRS)])
    assert text is not None
    documents = {v2.ARRAY_KEY: v2.array_to_document(_migration.parse(text))}
    if attributes is not None:
        documents[v2.ATTRS_KEY] = loads(attributes, _migration.ATTRS)  # type: ignore[assignment]
    names = (*sorted(DOCUMENT_NAMES), _migration.META, _migration.ATTRS)  # the old ones are not shown
    return ReadOnlyStore(DocumentStore(store, dict(documents), names))
