"""Convenience functions for storing and loading data (manual 3.6)."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast, overload

import numpy as np

from zarrds import _node
from zarrds._convert import convert
from zarrds._copy import copy, copy_all, copy_store
from zarrds._engine import places_of
from zarrds._format import (
    CONSOLIDATED_KEY,
    ArrayMeta,
    Consolidated,
    GroupMeta,
    check_version,
    format_of,
)
from zarrds._store import (
    ConsolidatedMetadataStore,
    ExperimentalV3Store,
    N5Mapping,
    Store,
    StoreLike,
    as_store,
    check_mode,
    normalize_path,
    refuse_overlap,
)
from zarrds._types import Mode, ShapeLike, ZarrFormat
from zarrds._verify import verify
from zarrds.core import Array, OpenOptions, open_existing, opened_array
from zarrds.creation import array, open_array, refuse_missing
from zarrds.errors import ArgumentError, ConflictError, GroupNotFoundError, IgnoredArgumentWarning, MetadataError
from zarrds.hierarchy import Group, LazyLoader, create_filled_group, open_group, opened_group
from zarrds.hierarchy import open_existing as open_existing_group
from zarrds.hierarchy.tree import TreeViewer

__all__ = [
    "LazyLoader",
    "consolidate_metadata",
    "convert",
    "copy",
    "copy_all",
    "copy_store",
    "load",
    "open",
    "open_consolidated",
    "save",
    "save_array",
    "save_group",
    "tree",
    "verify",
]


@overload
def open(
    store: StoreLike | None = None,
    mode: Mode = "a",
    *,
    shape: ShapeLike,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    **kwargs: Any,
) -> Array: ...


@overload
def open(
    store: StoreLike | None = None,
    mode: Mode = "a",
    *,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    **kwargs: Any,
) -> Array | Group: ...


def open(
    store: StoreLike | None = None,
    mode: Mode = "a",
    *,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    **kwargs: Any,
) -> Array | Group:
    """Open a group or array using file-mode-like semantics.

    Parameters
    ----------
    store : MutableMapping or str, optional
        Store, path of a directory, or URL.
    mode : {'r', 'r+', 'a', 'w', 'w-'}, optional
        'r' read only (must exist); 'r+' read and write (must exist); 'a' read and write (create if it does not exist);
        'w' create (overwrite if it exists); 'w-' create (fail if it exists).
    zarr_version : {2, 3, None}, optional
        Format; if None, that of an existing node, or 2.
    path : str, optional
        The path within the store to open.
    zarr_format : {2, 3, None}, optional
        The same as `zarr_version`.
    **kwargs
        Passed to `open_array` or `open_group`. A new node is an array if `shape` is among them, else a group.

    Returns
    -------
    Array or Group
        Depending on the node at the path.

    Raises
    ------
    PathNotFoundError
        There is no node, and the mode does not create one.
    MetadataError
        The document of the node is broken.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open("data/example.zarr", mode="w", shape=100, dtype="i4")
    <zarrds.core.Array (100,) int32>
    >>> zarrds.open("data/example.zarr", mode="r")
    <zarrds.core.Array (100,) int32 read-only>
    >>> zarrds.open("data/example.zarr", mode="w")
    <zarrds.hierarchy.Group '/'>
    """
    asked = check_version(zarr_version, zarr_format)
    check_mode(mode)
    where = normalize_path(path)
    options = kwargs.get("storage_options")
    real_store = store if store is None else as_store(store, mode=mode, storage_options=options)
    node = None
    if real_store is not None and mode in ("r", "r+", "a"):
        # on a slow network a second batch costs more than one more key
        near = real_store.profile.kind != "network"
        real_store, node = _node.locate_node(real_store, where, asked, mode, array_first=near)
        if node is None and mode != "a":
            raise _node.not_found(real_store, where)
    if isinstance(node, ArrayMeta):
        assert real_store is not None
        _warn_of_unknown(kwargs)
        return open_existing(real_store, where, node, mode, kwargs)
    if "shape" in kwargs and (node is None or mode == "a"):
        return open_array(real_store, mode=mode, path=where, zarr_format=asked, **kwargs)
    if node is not None:
        assert real_store is not None
        return open_existing_group(real_store, where, node, mode, kwargs)
    return open_group(real_store, mode=mode, path=where, zarr_format=asked, **kwargs)


_ARRAY_OPTIONS = frozenset(inspect.signature(open_array).parameters) | {"compression", "compression_opts", "fillvalue"}


def _warn_of_unknown(options: Mapping[str, Any]) -> None:
    for name in sorted(set(options) - _ARRAY_OPTIONS):
        warnings.warn(f"ignoring keyword argument {name!r}", IgnoredArgumentWarning, stacklevel=3)


def save_array(
    store: StoreLike,
    arr: Any,
    *,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Save a NumPy array to the local file system, following a similar API to ``numpy.save``.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    arr : ndarray
        NumPy array with data to save.
    zarr_version : {2, 3, None}, optional
        Format to save in.
    path : str, optional
        The path within the store where the array will be saved.
    zarr_format : {2, 3, None}, optional
        The same as `zarr_version`.
    storage_options : dict, optional
        Options of the file system behind a URL.
    **kwargs
        Passed to `create`, e.g. ``compressor``.

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> zarrds.save_array("data/example.zarr", np.arange(10000))
    >>> zarrds.load("data/example.zarr")
    array([   0,    1,    2, ..., 9997, 9998, 9999], shape=(10000,))
    """
    asked = check_version(zarr_version, zarr_format)
    with _opened(store, "w", storage_options) as real_store:
        array(arr, store=real_store, overwrite=True, path=path, zarr_format=asked, **kwargs)


def save_group(
    store: StoreLike,
    *args: Any,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Save several NumPy arrays to the local file system, following a similar API to ``numpy.savez``.

    Parameters
    ----------
    store
        As for `save_array`.
    *args : ndarray
        Arrays to save, as ``arr_0``, ``arr_1``, ...
    zarr_version
        As for `save_array`.
    path
        As for `save_array`.
    zarr_format
        As for `save_array`.
    storage_options
        As for `save_array`.
    **kwargs : ndarray
        Arrays to save, under their names.

    Raises
    ------
    ValueError
        No arrays, or a keyword is the name of a positional array.

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> zarrds.save_group("data/example.zarr", foo=np.arange(10000), bar=np.arange(10))
    >>> zarrds.load("data/example.zarr")
    <LazyLoader: bar, foo>
    """
    asked = check_version(zarr_version, zarr_format)
    if not args and not kwargs:
        raise ArgumentError("at least one array must be provided")
    named = {f"arr_{i}": arr for i, arr in enumerate(args)}
    clash = sorted(set(named) & set(kwargs))
    if clash:
        raise ArgumentError(f"cannot use positional arrays and keyword {clash[0]!r}")
    with _opened(store, "w", storage_options) as real_store:
        where = normalize_path(path)
        sources = [place for arr in (*args, *kwargs.values()) for place in places_of(arr)]
        refuse_overlap(sources, [real_store.place(where)], path=where, whole=False)
        for arr in (*args, *kwargs.values()):
            refuse_missing(arr)

        def fill(target: Group) -> None:
            for name, arr in {**named, **kwargs}.items():
                target.create_dataset(name, data=arr if hasattr(arr, "shape") else np.asanyarray(arr), overwrite=True)

        create_filled_group(real_store, where, asked, fill)


@contextmanager
def _opened(store: Any, mode: str, storage_options: Mapping[str, Any] | None) -> Iterator[Store]:
    """Yield the store that the user means; if it was opened here, close it at the end, also after an error."""
    real_store = as_store(store, mode=mode, storage_options=storage_options)
    try:
        yield real_store
    finally:
        if real_store is not store:
            real_store.close()


def save(
    store: StoreLike,
    *args: Any,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Save an array or group of arrays to the local file system.

    Parameters
    ----------
    store
        As for `save_array`.
    *args : ndarray
        One array is saved as it is; several, or any keywords, as a group.
    zarr_version
        As for `save_array`.
    path
        As for `save_array`.
    zarr_format
        As for `save_array`.
    storage_options
        As for `save_array`.
    **kwargs : ndarray
        Arrays to save, under their names.

    See Also
    --------
    save_array, save_group

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> zarrds.save("data/example.zarr", np.arange(10))
    >>> zarrds.load("data/example.zarr")
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    if not args and not kwargs:
        raise ArgumentError("at least one array must be provided")
    settings: dict[str, Any] = {
        "zarr_version": zarr_version,
        "path": path,
        "zarr_format": zarr_format,
        "storage_options": storage_options,
    }
    if len(args) == 1 and not kwargs:
        save_array(store, args[0], **settings)
    else:
        save_group(store, *args, **settings, **kwargs)


def load(
    store: StoreLike,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    *,
    zarr_format: ZarrFormat | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Load data from an array or group into memory.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    zarr_version : {2, 3, None}, optional
        Format; detected if None.
    path : str, optional
        The path within the store from which to load.
    zarr_format : {2, 3, None}, optional
        The same as `zarr_version`.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    ndarray or LazyLoader
        An array's data, or a mapping from names to data that are loaded on access. None if there is no node, as in the
        manual's release.
    """
    asked = check_version(zarr_version, zarr_format)
    real_store = as_store(store, mode="r", storage_options=storage_options)
    where = normalize_path(path)
    real_store, node = _node.locate_node(real_store, where, asked, "r")
    if isinstance(node, ArrayMeta):
        return opened_array(real_store, where, node, OpenOptions(read_only=True))[...]
    return None if node is None else LazyLoader(opened_group(real_store, where, node, OpenOptions(read_only=True)))


def tree(grp: Any, expand: bool = False, level: int | None = None) -> TreeViewer:
    """Provide a print-able display of the hierarchy of a zarrds or h5py group.

    Parameters
    ----------
    grp : Group, h5py.Group, str or os.PathLike
        Where to begin; a path or URL is opened to be read.
    expand : bool, optional
        Only relevant for HTML representation. If True, tree will be fully expanded.
    level : int, optional
        Maximum depth to descend into hierarchy.

    Returns
    -------
    TreeViewer
        Object that prints as the tree, in notebooks as HTML.
    """
    if isinstance(grp, str | os.PathLike):
        grp = open(grp, mode="r")
    return TreeViewer(grp, expand=expand, level=level)


def consolidate_metadata(
    store: StoreLike,
    metadata_key: str = CONSOLIDATED_KEY,
    *,
    path: str | None = "",
    only: Iterable[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
) -> Array | Group:
    """Consolidate all metadata of a hierarchy into a single document.

    Groups are listed level by level and chunk keys never, so the cost depends only on the number of nodes; documents
    are read in batches. The new document replaces an old one in one atomic write.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    metadata_key : str
        Key of the consolidated metadata in Zarr v2; Zarr v3 keeps them in the document of the group.
    path : str, optional
        Group to return; the root by default. Zarr v2 always consolidates the whole store, Zarr v3 that group.
    only : iterable of str, optional
        Paths, in the store, of nodes that have changed: only these are read, and replace what the consolidated
        metadata have. A node that is gone is removed, with all below it. Several such calls may meet.
    storage_options : dict, optional
        Options of the file system behind a URL.
    zarr_version, zarr_format : {2, 3, None}, optional
        Format; detected if None.

    Returns
    -------
    Group or Array
        The node at `path`, opened with the new consolidated metadata.

    Raises
    ------
    GroupNotFoundError
        There is no hierarchy to consolidate.
    ConsolidatedNotFoundError
        With `only`: there are no consolidated metadata yet.
    MetadataError
        A document is broken; the old consolidated metadata stays.
    ConflictError
        Others change the document of the group again and again (Zarr v3).

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.open_group("data/group.zarr", mode="w")
    >>> _ = root.zeros("foo/bar", shape=10)
    >>> zarrds.consolidate_metadata("data/group.zarr").foo.bar
    <zarrds.core.Array '/foo/bar' (10,) float64>
    """
    asked = check_version(zarr_version, zarr_format)
    real_store = as_store(store, mode="r+", storage_options=storage_options)
    where = normalize_path(path)
    node = _node.find_node(real_store, where, asked) if where else None
    root = where if isinstance(node, GroupMeta) and format_of(node).one_document else ""
    if only is not None:
        refreshed, above = _node.refresh_consolidated(real_store, only, metadata_key, root)
        known = ConsolidatedMetadataStore.just_written(real_store, metadata_key, refreshed, above)
        return open(known, mode="r+", path=where, chunk_store=real_store)
    written = _consolidated(real_store, metadata_key, root, asked)
    real_store.flush()
    metadata = ConsolidatedMetadataStore.just_written(real_store, metadata_key, written, root)
    return open(metadata, mode="r+", path=where, chunk_store=real_store)


_ATTEMPTS = 10


def _consolidated(store: Store, metadata_key: str, root: str, zarr_format: int | None) -> Consolidated:
    """Read all documents, and write and return the consolidated metadata.

    In Zarr v3 they are in the group's own document: if others change that meanwhile, all is done again.
    """
    for _ in range(_ATTEMPTS):
        documents = _node.documents_below(store, root, zarr_format, listed=True)
        if not documents:
            raise _nothing_to_consolidate(store, root)
        written = _node.write_consolidated(store, documents, metadata_key, root)
        if written is not None:
            return written
    raise ConflictError(
        "others change the document of the group again and again",
        store=repr(store),
        path=root,
        hint="consolidate when they are done",
    )


def _nothing_to_consolidate(store: Store, root: str) -> GroupNotFoundError:
    """Return the error for a store without documents of Zarr v2 or v3; it says how N5 is consolidated."""
    if isinstance(_node.other_layout(store, "r"), N5Mapping):
        hint = "this is N5: give zarrds.N5Store(path), here and to open_consolidated"
        return GroupNotFoundError(store=repr(store), path=root, hint=hint)
    return cast("GroupNotFoundError", _node.not_found(store, root, GroupNotFoundError))


def open_consolidated(store: StoreLike, metadata_key: str = CONSOLIDATED_KEY, mode: Mode = "r+", **kwargs: Any) -> Any:
    """Open a hierarchy with consolidated metadata: one batch of requests reads all metadata.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    metadata_key : str
        Key to read the consolidated metadata from.
    mode : {'r', 'r+'}, optional
        'r' read only; 'r+' data may be written, metadata not.
    **kwargs
        Passed to `open_array` or `open_group`, and ``storage_options``.

    Returns
    -------
    Group or Array
        The node at the root of the store, with metadata from the one document.

    Raises
    ------
    KeyError
        There is no consolidated metadata.
    MetadataError
        It is broken.

    See Also
    --------
    consolidate_metadata
    """
    check_mode(mode, ("r", "r+"))
    real_store = as_store(store, mode=mode, storage_options=kwargs.pop("storage_options", None))
    path = kwargs.pop("path", None)
    try:
        metadata = ConsolidatedMetadataStore(real_store, metadata_key=metadata_key, path=normalize_path(path))
    except (KeyError, MetadataError):
        experimental = _node.other_layout(real_store, mode)
        if not isinstance(experimental, ExperimentalV3Store):
            raise
        return open(ExperimentalV3Store(real_store, consolidated=True), mode=mode, path=path)
    given = kwargs.pop("chunk_store", None)  # a store without keys is false
    return open(metadata, mode=mode, path=path, chunk_store=real_store if given is None else given, **kwargs)
