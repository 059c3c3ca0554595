"""Hierarchies in layouts other than those of the formats: found when nothing else is, and shown as stores."""

from __future__ import annotations

from zarrds._format import n5, v3_experimental
from zarrds._store.base import Store
from zarrds._store.n5 import N5Mapping
from zarrds._store.v3_experimental import ExperimentalV3Store

__all__ = ["other_layout"]


def other_layout(store: Store) -> Store | None:
    """The hierarchy in a store of files that is of another layout; None when there is none, in one batch."""
    if isinstance(store, (N5Mapping, ExperimentalV3Store)):
        return None
    entry_point, attributes = store.get_many([(v3_experimental.ENTRY_POINT_KEY, None), (n5.ATTRIBUTES_KEY, None)])
    if entry_point is not None and v3_experimental.is_entry_point(entry_point):
        return ExperimentalV3Store(store)
    return N5Mapping(store) if attributes is not None else None
