"""Stores, under the names of the manual (3.4), and functions for the keys below a path of any store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zarrds import _node
from zarrds._base.types import ChunksLike, CodecLike, CodecsLike, DTypeLike, Separator, ShapeLike, ZarrFormat
from zarrds._engine import places_of
from zarrds._format import ARRAY_KEY, ATTRS_KEY, GROUP_KEY, GroupMeta, format_of
from zarrds._metadata import array_meta, fallback_compressor
from zarrds._store import (
    ABSStore,
    ConsolidatedMetadataStore,
    DBMStore,
    DictStore,
    DirectoryStore,
    ExperimentalV3Store,
    FsspecStore,
    FSStore,
    KVStore,
    LMDBStore,
    LocalStore,
    LRUStoreCache,
    MemoryStore,
    MongoDBStore,
    NestedDirectoryStore,
    ObstoreStore,
    Place,
    ReadOnlyStore,
    RedisStore,
    SQLiteStore,
    Store,
    StoreLike,
    TempStore,
    WrapperStore,
    ZipStore,
    as_store,
    as_zarr3_store,
    normalize_path,
    refuse_overlap,
)
from zarrds._store import normalize_path as normalize_storage_path
from zarrds.errors import ArgumentError

__all__ = [
    "ABSStore",
    "BaseStore",
    "ConsolidatedMetadataStore",
    "DBMStore",
    "DictStore",
    "DirectoryStore",
    "ExperimentalV3Store",
    "FSStore",
    "FsspecStore",
    "KVStore",
    "LMDBStore",
    "LRUStoreCache",
    "LocalStore",
    "MemoryStore",
    "MongoDBStore",
    "NestedDirectoryStore",
    "ObstoreStore",
    "Place",
    "ReadOnlyStore",
    "RedisStore",
    "SQLiteStore",
    "Store",
    "StoreLike",
    "TempStore",
    "WrapperStore",
    "ZipStore",
    "array_meta_key",
    "as_store",
    "as_zarr3_store",
    "attrs_key",
    "contains_array",
    "contains_group",
    "default_compressor",
    "document_keys",
    "getsize",
    "group_meta_key",
    "init_array",
    "init_group",
    "listdir",
    "migrate_1to2",
    "normalize_storage_path",
    "normalize_store_arg",
    "places_of",
    "refuse_overlap",
    "rename",
    "rmdir",
]

BaseStore = Store
"""`Store`, under the name of its base class in Zarr-Python 2."""

default_compressor: Any = fallback_compressor
"""The compressor that ``compressor="default"`` means; it is read at each call, so reassigning it works (manual 2.5)."""

array_meta_key = ARRAY_KEY
group_meta_key = GROUP_KEY
attrs_key = ATTRS_KEY


@contextmanager
def _opened(store: StoreLike, mode: str) -> Iterator[Store]:
    """Yield a store: the given one, or one opened at the given path and closed afterwards."""
    real_store = as_store(store, mode=mode)
    try:
        yield real_store
    finally:
        _close_opened(real_store, store)


def _close_opened(real_store: Store, given: object) -> None:
    if real_store is not given and not isinstance(given, Mapping):
        real_store.close()


def normalize_store_arg(
    store: StoreLike | None,
    storage_options: Mapping[str, Any] | None = None,
    mode: str = "r",
    *,
    zarr_version: ZarrFormat | None = None,
) -> Store:
    """Return a store for what was given as one, a new `KVStore` for None; `as_store`, as Zarr-Python 2 calls it.

    Parameters
    ----------
    store : Store, MutableMapping, str, os.PathLike or None
        What a user passed as a store.
    storage_options : dict, optional
        Options of the file system behind a URL.
    mode : str, default "r"
        "r" for reading only; any other mode may write.
    zarr_version : {2, 3}, optional
        Accepted as in Zarr-Python 2: a store holds all formats.

    Examples
    --------
    >>> from zarrds.storage import normalize_store_arg
    >>> normalize_store_arg(None)
    <zarrds.storage.KVStore over dict>
    """
    if zarr_version not in (None, 2, 3):
        raise ArgumentError(f"zarr_version must be 2, 3 or None, found {zarr_version!r}")
    return KVStore({}) if store is None else as_store(store, mode=mode, storage_options=storage_options)


def listdir(store: StoreLike, path: str | bytes | None = None) -> list[str]:
    """Return the names directly below a path.

    Parameters
    ----------
    store : Store or MutableMapping
        Store to list.
    path : str, optional
        Path in the store; the root if not given.

    Returns
    -------
    list of str
        Sorted names; empty if there are none.

    Examples
    --------
    >>> from zarrds.storage import listdir
    >>> listdir({"foo/.zgroup": b"", "foo/bar/.zarray": b""}, "foo")
    ['.zgroup', 'bar']
    """
    with _opened(store, "r") as real_store:
        return real_store.listdir(normalize_path(path))


def rmdir(store: StoreLike, path: str | bytes | None = None) -> None:
    """Remove all keys below a path.

    Parameters
    ----------
    store : Store or MutableMapping
        Store to change.
    path : str, optional
        Path in the store; the root if not given.

    Examples
    --------
    >>> from zarrds.storage import rmdir
    >>> data = {"foo/.zgroup": b"", "foo/bar/.zarray": b""}
    >>> rmdir(data, "foo/bar")
    >>> data
    {'foo/.zgroup': b''}
    """
    with _opened(store, "a") as real_store:
        real_store.rmdir(normalize_path(path))


def rename(store: StoreLike, src_path: str | bytes | None, dst_path: str | bytes | None) -> None:
    """Rename all keys below a path.

    Parameters
    ----------
    store : Store or MutableMapping
        Store to change.
    src_path, dst_path : str
        Old and new path in the store.

    Raises
    ------
    PathNotFoundError
        If there is nothing at `src_path`.

    Examples
    --------
    >>> from zarrds.storage import rename
    >>> data = {"foo/.zgroup": b""}
    >>> rename(data, "foo", "bar")
    >>> data
    {'bar/.zgroup': b''}
    """
    with _opened(store, "a") as real_store:
        real_store.rename(normalize_path(src_path), normalize_path(dst_path))


def getsize(store: StoreLike, path: str | bytes | None = None) -> int:
    """Return the size in bytes of the values directly below a path, or of the value at that path.

    Parameters
    ----------
    store : Store or MutableMapping
        Store to measure.
    path : str, optional
        Path in the store; the root if not given.

    Returns
    -------
    int
        Size in bytes; -1 if the store does not know.

    Examples
    --------
    >>> from zarrds.storage import getsize
    >>> getsize({"foo/0": b"abc", "foo/1": b"de"}, "foo")
    5
    """
    with _opened(store, "r") as real_store:
        return real_store.getsize(normalize_path(path))


def init_array(
    store: StoreLike,
    shape: ShapeLike,
    chunks: ChunksLike = True,
    dtype: DTypeLike = None,
    compressor: CodecLike | None = "default",
    fill_value: Any = None,
    order: str = "C",
    overwrite: bool = False,
    path: str | bytes | None = None,
    chunk_store: StoreLike | None = None,
    filters: CodecsLike = None,
    object_codec: CodecLike | None = None,
    dimension_separator: Separator | None = None,
    storage_transformers: Any = (),
) -> None:
    """Create a Zarr v2 array in a store.

    A low-level function; see `zarrds.create` for the parameters. The default of `fill_value` is None here. Use
    `zarrds.create` for Zarr v3.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        If there is a node at `path` and `overwrite` is False.

    Examples
    --------
    >>> from zarrds.storage import KVStore, init_array
    >>> store = KVStore({})
    >>> init_array(store, shape=(10000, 10000), chunks=(1000, 1000), path="foo")
    >>> sorted(store)
    ['.zgroup', 'foo/.zarray']
    """
    if storage_transformers:
        raise ArgumentError("storage_transformers may only be set for Zarr v3; use zarrds.create(zarr_format=3)")
    real_store = as_store(store, mode="w")
    meta = array_meta(
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressor=compressor,
        default_compressor=default_compressor,
        fill_value=fill_value,
        order=order,
        filters=filters,
        object_codec=object_codec,
        dimension_separator=dimension_separator or real_store.dimension_separator,
    )
    chunks_in = None if chunk_store is None else as_store(chunk_store, mode="w")
    _node.create_array(real_store, normalize_path(path), meta, overwrite=overwrite, chunk_store=chunks_in)
    _close_opened(real_store, store)


def init_group(
    store: StoreLike,
    overwrite: bool = False,
    path: str | bytes | None = None,
    chunk_store: StoreLike | None = None,
) -> None:
    """Create a Zarr v2 group in a store; a low-level function, see `zarrds.group`.

    Parameters
    ----------
    store : StoreLike
        The store.
    overwrite : bool, default False
        Whether what is at the path is deleted first.
    path : str, optional
        Path in the store; the root by default.
    chunk_store : StoreLike, optional
        Store for the chunks of its arrays.

    Examples
    --------
    >>> from zarrds.storage import init_group
    >>> store = {}
    >>> init_group(store, path="foo")
    >>> sorted(store)
    ['.zgroup', 'foo/.zgroup']
    """
    chunks_in = None if chunk_store is None else as_store(chunk_store, mode="w")
    with _opened(store, "w") as real_store:
        _node.create_group(real_store, normalize_path(path), GroupMeta(), overwrite=overwrite, chunk_store=chunks_in)


def migrate_1to2(store: StoreLike) -> None:
    """Migrate the array metadata in `store` from Zarr v1 to Zarr v2.

    A Zarr v1 store had one array and no hierarchy. Its documents ``meta`` and ``attrs`` are replaced by Zarr v2
    documents; chunks do not change. If the migration is not possible, nothing is changed.

    Parameters
    ----------
    store : Store or MutableMapping
        Store to be migrated.

    Raises
    ------
    OldArrayNotFoundError
        If there is no Zarr v1 array; also a KeyError.
    MetadataError
        If its metadata have another version, are broken, or name an unknown compressor.

    Examples
    --------
    >>> from zarrds.storage import migrate_1to2
    >>> store = {
    ...     "meta": b'{"zarr_format": 1, "shape": [4], "chunks": [2], "dtype": "<i4", "compression": "zlib",'
    ...     b' "compression_opts": 1, "fill_value": 7, "order": "C"}',
    ...     "attrs": b'{"units": "m"}',
    ... }
    >>> migrate_1to2(store)
    >>> sorted(store)
    ['.zarray', '.zattrs']
    >>> import zarrds
    >>> zarrds.open(store, mode="r")[:]
    array([7, 7, 7, 7], dtype=int32)
    """
    with _opened(store, "r+") as real_store:
        _node.migrate(real_store)


def contains_array(store: StoreLike, path: str | bytes | None = None) -> bool:
    """Return True if the store contains an array at the given logical path.

    Parameters
    ----------
    store : StoreLike
        The store.
    path : str, optional
        Path in the store; the root by default.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.storage import contains_array
    >>> root = zarrds.group()
    >>> _ = root.zeros("a", shape=3)
    >>> contains_array(root.store, "a"), contains_array(root.store)
    (True, False)
    """
    with _opened(store, "r") as real_store:
        return _node.contains_array(real_store, normalize_path(path))


def contains_group(store: StoreLike, path: str | bytes | None = None, explicit_only: bool = True) -> bool:
    """Return True if the store contains a group at the given logical path.

    Parameters
    ----------
    store : StoreLike
        The store.
    path : str, optional
        Path in the store; the root by default.
    explicit_only : bool, default True
        Whether a group must have a document.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.storage import contains_group
    >>> root = zarrds.group()
    >>> contains_group(root.store), contains_group(root.store, "a")
    (True, False)
    """
    with _opened(store, "r") as real_store:
        return _node.contains_group(real_store, normalize_path(path))


def document_keys(path: str | bytes | None, zarr_format: int) -> tuple[str, ...]:
    """Return the keys of all documents that a node at `path` may have in a format.

    Parameters
    ----------
    path : str, bytes or None
        Path of the node.
    zarr_format : {2, 3}
        The format.

    Returns
    -------
    tuple of str
        Keys of the documents that a node at the path may have.

    Examples
    --------
    >>> document_keys("a", 2)
    ('a/.zarray', 'a/.zgroup', 'a/.zattrs')
    """
    return format_of(zarr_format).document_keys(normalize_path(path))
