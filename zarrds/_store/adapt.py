"""Convert whatever a user passes as a store to a `Store`; done once, at the public functions."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol, TypeAlias

from fsspec.mapping import FSMap

from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.fs import FSStore
from zarrds._store.backends.mapping import KVStore
from zarrds._store.backends.obstore import from_obstore, is_obstore
from zarrds._store.backends.zarr3 import from_zarr3, is_zarr3
from zarrds._store.backends.zip import ZipStore
from zarrds._store.base import Store
from zarrds._store.file_objects import in_archive, is_file, is_upath, upath_location
from zarrds._store.pipelines import Pipeline, is_pipeline, parse_pipeline
from zarrds._store.wrappers.n5 import N5FSStore, N5Store
from zarrds.errors import ArgumentError, ArgumentTypeError, NotAStoreError, PathNotFoundError, UnsupportedFormatError

__all__ = ["StoreLike", "as_store", "check_mode"]


class _ZarrStore(Protocol):
    @property
    def supports_listing(self) -> bool: ...


class _ObstoreStore(Protocol):
    @property
    def list_with_delimiter(self) -> Callable[..., Any]: ...


class _BinaryFile(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...


class _UniversalPath(Protocol):
    @property
    def storage_options(self) -> Mapping[str, Any]: ...


StoreLike: TypeAlias = (
    Store | Mapping[str, Any] | str | os.PathLike[str] | _ZarrStore | _ObstoreStore | _UniversalPath | _BinaryFile
)
"""What is accepted as a store: a store, also of the zarr library or of obstore, a mapping, a path (also of
universal_pathlib), a URL, or an open ZIP file."""


def as_store(store: object, *, mode: str = "r", storage_options: Mapping[str, Any] | None = None) -> Store:
    """Return a `Store` for what a user passed as a store.

    Parameters
    ----------
    store : str, os.PathLike, Store, fsspec.FSMap, obstore.store.ObjectStore, zarr.abc.store.Store or MutableMapping
        A path of a directory (``~`` is the home directory) or of a ``.zip`` file, a URL (``s3://bucket/path``,
        ``zip::file:///a.zip``, ``file:///a.zip|zip:inside/|zarr3:``), a path of universal_pathlib, an open ZIP file, a
        store, also one of Zarr-Python 3 or a session of Icechunk, or any mapping from str to bytes; read-only ones too
        when `mode` is "r".
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
    NotAStoreError
        If `store` is no mapping from keys to bytes; a TypeError and, as in Zarr-Python, a ValueError.
    ValueError
        If storage options are given for a path that is no URL.

    Examples
    --------
    >>> from zarrds.storage import as_store
    >>> as_store({"a": b"1"})["a"]
    b'1'
    >>> as_store("data.zarr", mode="w")
    <zarrds.storage.DirectoryStore '...data.zarr'>
    """
    if isinstance(store, Store):
        return _of_known_version(store)
    if isinstance(store, (str, os.PathLike)):
        return _at_location(os.fspath(store), mode, _options(storage_options))
    if isinstance(store, FSMap):
        return FSStore(store.root, fs=store.fs, mode=_fs_mode(mode), missing_exceptions=store.missing_exceptions)
    if is_obstore(store):
        return from_obstore(store)
    if is_zarr3(store):
        return from_zarr3(store, mode=mode)
    if is_upath(store):
        location, options = upath_location(store, storage_options or {})
        return _at_location(location, mode, options)
    if is_file(store):
        return in_archive(store, mode)
    # groups, arrays and tables have methods of a mapping too
    if not (hasattr(type(store), "shape") or hasattr(type(store), "attrs")):
        if isinstance(store, MutableMapping) or (isinstance(store, Mapping) and mode == "r"):
            return KVStore(store)
        if _is_like_mapping(store) and (mode == "r" or _has_methods(store, _WRITES)):
            return KVStore(store)  # type: ignore[arg-type]
    is_node = hasattr(type(store), "store") and hasattr(type(store), "path")
    raise NotAStoreError(
        f"a store is a path, a URL, a Store or a mutable mapping, not {type(store).__name__}",
        hint="it is open already; where a store is needed, pass its .store, with path=its .path" if is_node else None,
    )


def _options(given: object) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentTypeError(
            f"storage_options must be a dict of options of the file system, found {given!r} of type "
            f"{type(given).__name__}"
        )
    return dict(given or {})


def _of_known_version(store: Store) -> Store:
    if store._store_version not in (2, 3):
        raise ArgumentError(f"the version of a store must be 2 or 3, found {store._store_version} in {store!r}")
    return store


_READS = ("__getitem__", "__contains__")
_WRITES = ("__setitem__", "__delitem__")


def _is_like_mapping(store: object) -> bool:
    """Return whether an object has what reading from a mapping needs; a sequence, which has ``index``, is none."""
    cls = type(store)
    lists = hasattr(cls, "keys") or (hasattr(cls, "__iter__") and not hasattr(cls, "index"))
    return lists and _has_methods(store, _READS)


def _has_methods(store: object, names: Sequence[str]) -> bool:
    return all(hasattr(type(store), name) for name in names)


def _at_location(location: object, mode: str, storage_options: dict[str, Any]) -> Store:
    if not isinstance(location, str):
        raise ArgumentTypeError(f"paths of stores are str, not {type(location).__name__}")
    if is_pipeline(location):
        return _at_pipeline(parse_pipeline(location), mode, storage_options)
    if "://" in location or "::" in location:
        return FSStore(location, mode=_fs_mode(mode), **storage_options)
    if storage_options:
        raise ArgumentError("storage_options passed with non-fsspec path")
    if location.endswith(".zip") and not os.path.isdir(location):
        return _zip_store(os.path.expanduser(location), mode)
    if location.rstrip("/").endswith(".n5"):
        return N5Store(os.path.expanduser(location))
    for ending, hint in _NOT_YET.items():
        if location.rstrip("/").endswith(ending):
            raise UnsupportedFormatError(f"no store for {ending} yet", path=location, hint=hint)
    return DirectoryStore(os.path.expanduser(location))


def _at_pipeline(found: Pipeline, mode: str, storage_options: dict[str, Any]) -> Store:
    """Open the store that a URL pipeline leads to; archives inside others, or with a path, are read by fsspec."""
    root, path = found.root, found.path
    local = root.removeprefix("file://")
    if len(found.archives) == 1 and not found.archives[0] and not path and "://" not in local:
        store: Store = _zip_store(os.path.expanduser(local), mode)
    elif found.archives:
        *outer, last = found.archives
        inner = "/".join(part for part in (last, path) if part)
        chain = "::".join([f"zip://{inner}", *(f"zip://{name}" for name in reversed(outer)), _as_url(root)])
        if mode not in ("r", "r+", "a"):
            raise ArgumentError("a part of an archive is read only", found=chain)
        store = FSStore(chain, mode="r", **storage_options)
    else:
        location = f"{root.rstrip('/')}/{path}" if path else root
        if not found.is_n5:
            store = _at_location(location, mode, storage_options)
        elif "://" in location:
            store = N5FSStore(location, mode=_fs_mode(mode), **storage_options)
        else:
            store = N5Store(os.path.expanduser(location))
    if found.zarr_format is not None:
        store.preferred_format = found.zarr_format
    return store


def _as_url(location: str) -> str:
    return location if "://" in location else f"file://{os.path.abspath(os.path.expanduser(location))}"


def _zip_store(path: str, mode: str) -> ZipStore:
    """Open a ZIP file; mode "w" does not empty it here, since the caller decides by its nodes what to overwrite."""
    if mode == "r":
        return ZipStore(path, mode="r")
    if mode == "r+" and not os.path.exists(path):
        raise PathNotFoundError("there is no such file", path=path, hint="mode 'a' creates it")
    try:
        return ZipStore._at(path)  # what is refused later leaves no empty file
    except zipfile.BadZipFile:
        if mode != "w" or not _is_unfinished_zip(path):
            raise
        return ZipStore(path, mode="w")


def _is_unfinished_zip(path: str) -> bool:
    """Return whether a file begins like a ZIP file: such a file may be one that was never closed."""
    with open(path, "rb") as file:
        return file.read(4) == b"PK\3\4"


def _fs_mode(mode: str) -> str:
    return "r" if mode == "r" else "w"


_NOT_YET = {
    ".h5": "this looks like an HDF5 file, which is not a store",
    ".hdf5": "this looks like an HDF5 file, which is not a store",
}


def check_mode(mode: str, allowed: Sequence[str] = ("r", "r+", "a", "w", "w-", "x")) -> None:
    """Raise ValueError for an unknown persistence mode."""
    if mode not in allowed:
        raise ArgumentError(f"mode must be one of {', '.join(map(repr, allowed))}, found {mode!r}")
