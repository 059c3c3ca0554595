"""Save arrays in memory to a store, and load them again (manual 3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from zarrds import _node
from zarrds._base.types import ZarrFormat
from zarrds._engine import places_of
from zarrds._format import (
    ArrayMeta,
    check_version,
)
from zarrds._store import (
    Store,
    StoreLike,
    as_store,
    normalize_path,
    refuse_overlap,
)
from zarrds.core import OpenOptions, opened_array
from zarrds.creation import array, refuse_missing
from zarrds.errors import ArgumentError
from zarrds.hierarchy import Group, LazyLoader, create_filled_group, opened_group

__all__ = ["load", "save", "save_array", "save_group"]


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

    Examples
    --------
    >>> import zarrds
    >>> zarrds.save("values.zarr", [1, 2, 3])
    >>> zarrds.load("values.zarr")
    array([1, 2, 3])
    """
    asked = check_version(zarr_version, zarr_format)
    real_store = as_store(store, mode="r", storage_options=storage_options)
    where = normalize_path(path)
    real_store, node = _node.locate_node(real_store, where, asked, "r")
    if isinstance(node, ArrayMeta):
        return opened_array(real_store, where, node, OpenOptions(read_only=True))[...]
    return None if node is None else LazyLoader(opened_group(real_store, where, node, OpenOptions(read_only=True)))
