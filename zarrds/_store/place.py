"""Where stores are: whether two of them, opened in different ways, hold the same keys."""

from __future__ import annotations

import os
from dataclasses import dataclass

from zarrds._store.base import Store
from zarrds._store.directory import DirectoryStore
from zarrds._store.fs import FSStore
from zarrds._store.memory import KVStore, MemoryStore
from zarrds._store.paths import normalize_path
from zarrds.errors import SelfOverwriteError

__all__ = ["Place", "place_of", "refuse_overlap"]


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
    if isinstance(store, (KVStore, MemoryStore)):
        # what two stores share when they are made over one mapping
        return Place(("memory", store.identity), path)
    return Place(store.spec(), path)


def refuse_overlap(source: Place, target: Place, path: str) -> None:
    """Raise SelfOverwriteError when one place holds the other."""
    if target.contains(source) or source.contains(target):
        raise SelfOverwriteError(
            "source and target are the same, or one lies within the other",
            path=path,
            hint="choose a target elsewhere",
        )
