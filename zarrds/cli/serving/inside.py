"""Keep what is served inside of a directory: symbolic links that lead elsewhere are absent."""

from __future__ import annotations

import os
from collections.abc import Sequence

from zarrds._base.types import Buf, Request
from zarrds._store import DirectoryStore, RangeReader, Store, VersionReader, WrapperStore, local_directory

__all__ = ["InsideStore", "guarded", "is_inside"]


def is_inside(directory: DirectoryStore, key: str) -> bool:
    """Return whether the file of a key, all links followed, lies in the directory of the store."""
    root, real = os.path.realpath(directory.path), os.path.realpath(directory.file_of(key.rstrip("/")))
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


class InsideStore(WrapperStore):
    """A view of a directory in which files behind symbolic links that lead out of it are absent.

    Parameters
    ----------
    store : DirectoryStore
        The directory.
    """

    def __init__(self, store: DirectoryStore) -> None:
        super().__init__(store)
        self._directory = store

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        """Return the answers to requests; None for what lies outside."""
        allowed = [is_inside(self._directory, key) for key, _ in requests]
        asked = [request for request, yes in zip(requests, allowed, strict=True) if yes]
        answers = iter(self.store.get_many(asked))
        return [next(answers) if yes else None for yes in allowed]

    def reader(self) -> RangeReader:
        """Return a reader that asks this store."""
        return VersionReader(self)


def guarded(store: Store) -> Store:
    """Return a store that shows nothing outside of its directory; others are returned as they are."""
    directory = local_directory(store)
    return store if directory is None else InsideStore(directory)
