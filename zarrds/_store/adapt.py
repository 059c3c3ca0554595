"""Anything that a user may pass as a store, made a `Store`: the one door, passed once."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Any

from fsspec.mapping import FSMap

from zarrds._store.base import Store
from zarrds._store.directory import DirectoryStore
from zarrds._store.fs import FSStore
from zarrds._store.memory import KVStore
from zarrds.errors import UnsupportedFormatError

__all__ = ["as_store"]


def as_store(store: object, *, mode: str = "r", storage_options: Mapping[str, Any] | None = None) -> Store:
    """Adapt what a user passed as a store.

    Parameters
    ----------
    store : str, os.PathLike, Store, fsspec.FSMap or MutableMapping
        A path of a directory (``~`` is the home directory), a URL (``s3://bucket/path``, ``zip::file:///a.zip``), a
        store, or any mapping from str to bytes; read-only mappings too when `mode` is "r".
    mode : str, default "r"
        "r" for reading only; any other mode may write.
    storage_options : dict, optional
        Options of the file system behind a URL; ignored for stores and mappings.

    Returns
    -------
    Store
        `store` itself when it is a `Store`.

    Raises
    ------
    TypeError
        If `store` is nothing that holds keys and bytes.
    ValueError
        If there are storage options for a path that is no URL.
    """
    if isinstance(store, Store):
        return store
    if isinstance(store, (str, os.PathLike)):
        return _at_location(os.fspath(store), mode, dict(storage_options or {}))
    if isinstance(store, FSMap):
        return FSStore(store.root, fs=store.fs, mode=_fs_mode(mode), missing_exceptions=store.missing_exceptions)
    if isinstance(store, MutableMapping) or (isinstance(store, Mapping) and mode == "r"):
        return KVStore(store)
    raise TypeError(f"a store is a path, a URL, a Store or a mutable mapping, not {type(store).__name__}")


def _at_location(location: object, mode: str, storage_options: dict[str, Any]) -> Store:
    if not isinstance(location, str):
        raise TypeError(f"paths of stores are str, not {type(location).__name__}")
    if "://" in location or "::" in location:
        return FSStore(location, mode=_fs_mode(mode), **storage_options)
    if storage_options:
        raise ValueError("storage_options passed with non-fsspec path")
    for ending, hint in _NOT_YET.items():
        if location.rstrip("/").endswith(ending):
            raise UnsupportedFormatError(f"no store for {ending} yet", path=location, hint=hint)
    return DirectoryStore(os.path.expanduser(location))


def _fs_mode(mode: str) -> str:
    return "r" if mode == "r" else "w"


_NOT_YET = {
    ".zip": "ZipStore is not there yet; the URL form zip::file:///path/to/file.zip can be read",
    ".n5": "N5Store is not there yet",
    ".h5": "this looks like an HDF5 file, which is not a store",
    ".hdf5": "this looks like an HDF5 file, which is not a store",
}
