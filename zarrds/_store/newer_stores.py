"""Stores under the names of Zarr-Python 3: calling such a class makes a store that zarrds has under another name."""

from __future__ import annotations

import os
from typing import Any

from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.fs import FSStore
from zarrds._store.base import Store
from zarrds._store.wrappers.readonly import ReadOnlyStore

__all__ = ["FsspecStore", "LocalStore"]


class _Named(type):
    """Class of another name of a class of stores: `isinstance` and `issubclass` know both names."""

    _stores: type[Store]

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance.store if isinstance(instance, ReadOnlyStore) else instance, cls._stores)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or issubclass(subclass, cls._stores)


class LocalStore(metaclass=_Named):
    """Make the store of a directory: a `DirectoryStore`, or one in a `ReadOnlyStore`.

    Parameters
    ----------
    root : str or os.PathLike
        Directory that is the root of the store.
    read_only : bool, default False
        Whether writing through it is refused.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.storage import LocalStore
    >>> z = zarrds.create_array(LocalStore("data/local.zarr"), shape=3, dtype="i4", overwrite=True)
    >>> zarrds.open_array(LocalStore("data/local.zarr", read_only=True), mode="r").shape
    (3,)
    """

    __module__ = "zarrds.storage"
    _stores = DirectoryStore

    def __new__(cls, root: str | os.PathLike[str], *, read_only: bool = False) -> Store:  # type: ignore[misc]  # see above
        store = DirectoryStore(root)
        return ReadOnlyStore(store) if read_only else store


class FsspecStore(metaclass=_Named):
    """Make the store behind a URL, or of a file system of fsspec: an `FSStore`.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
        The file system.
    read_only : bool, default False
        Whether writing through it is refused.
    path : str, default "/"
        Path in the file system.

    Examples
    --------
    >>> from zarrds.storage import FsspecStore
    >>> store = FsspecStore.from_url("memory://fsspec-store.zarr")
    >>> store["a"] = b"1"
    >>> list(store)
    ['a']
    """

    __module__ = "zarrds.storage"
    _stores = FSStore

    def __new__(cls, fs: Any, read_only: bool = False, path: str = "/") -> FSStore:  # type: ignore[misc]  # see above
        return FSStore(path, fs=fs, mode="r" if read_only else "w")

    @staticmethod
    def from_url(url: str, storage_options: dict[str, Any] | None = None, read_only: bool = False) -> FSStore:
        """Return the store behind a URL.

        Parameters
        ----------
        url : str
            Protocol and path, such as ``s3://bucket/root``.
        storage_options : dict, optional
            Options of the file system.
        read_only : bool, default False
            Whether writing through it is refused.

        Returns
        -------
        FSStore
            The store.

        Examples
        --------
        >>> from zarrds.storage import FsspecStore
        >>> FsspecStore.from_url("memory://fsspec-store.zarr", read_only=True)
        <zarrds.storage.FSStore 'memory://fsspec-store.zarr'>
        """
        return FSStore(url, mode="r" if read_only else "w", **(storage_options or {}))
