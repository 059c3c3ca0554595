"""What users mean by a source, and where it is: whether two stores, opened in different ways, hold the same keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zarrds._engine.source import ChunkSource
from zarrds._store.base import Store
from zarrds._store.directory import DirectoryStore
from zarrds._store.fs import FSStore
from zarrds._store.paths import normalize_path
from zarrds._store.spec import LiveSpec, StoreSpec
from zarrds.core import Array
from zarrds.creation import open_array
from zarrds.errors import SelfOverwriteError

__all__ = ["Place", "holds", "is_shareable", "opened", "place_of", "refuse_overlap"]


@dataclass(frozen=True, slots=True)
class Place:
    """A location below which keys lie.

    Attributes
    ----------
    system : object
        What two places must share to be comparable: a file system, or one store.
    path : str
        Path in it, normalised.
    """

    system: object
    path: str

    def contains(self, other: Place) -> bool:
        """Whether `other` is this place or lies below it."""
        if self.system != other.system:
            return False
        return not self.path or self.path == other.path or other.path.startswith(self.path + "/")


def place_of(store: Store, path: str) -> Place:
    """Where the node at `path` of a store is; wrappers are looked through."""
    while isinstance(inner := getattr(store, "store", None), Store):
        store = inner
    if isinstance(store, DirectoryStore):
        return Place("file", normalize_path(os.path.realpath(os.path.join(store.path, path))))
    if isinstance(store, FSStore):
        if store.fs.protocol in ("file", "local") or "file" in tuple(store.fs.protocol):
            return Place("file", normalize_path(os.path.realpath(os.path.join(store.path, path))))
        return Place(store.fs, normalize_path(f"{store.path}/{path}"))
    return Place(store.spec(), path)


def opened(source: Any, path: str | None, storage_options: Mapping[str, Any] | None = None) -> Array:
    """The array that a user means by an `Array`, or by a store and a path."""
    if not isinstance(source, Array):
        options = None if storage_options is None else dict(storage_options)
        return open_array(source, mode="r", path=path, storage_options=options)
    if path:
        raise TypeError("a path is given with a store only, not with an array")
    return source


def holds(outer: ChunkSource, inner: ChunkSource) -> bool:
    """Whether the array `inner` is `outer`, or is stored below it."""
    return place_of(outer.store.open(), outer.path).contains(place_of(inner.store.open(), inner.path))


def refuse_overlap(source: Place, target: Place, path: str) -> None:
    """Raise SelfOverwriteError when one place holds the other."""
    if target.contains(source) or source.contains(target):
        raise SelfOverwriteError(
            "source and target are the same, or one lies within the other",
            path=path,
            hint="choose a target elsewhere",
        )


def is_shareable(spec: StoreSpec) -> bool:
    """Whether another process can open the store."""
    if isinstance(spec, LiveSpec):
        return False
    return is_shareable(spec.location) if isinstance(spec.location, StoreSpec) else True
