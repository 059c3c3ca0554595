"""Remove what jobs that will not be continued have left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zarrds import _node
from zarrds._engine import OpenSource, delete_behind, trim_edges
from zarrds._format import GroupMeta
from zarrds._store import Store, as_store, join_path, level, normalize_path
from zarrds.attrs import Attributes
from zarrds.dask.places import options_by_place
from zarrds.dask.receipts import cleanup as clean_receipts
from zarrds.dask.rechunking.finishing import remove_leftovers, take_off_flag
from zarrds.dask.rechunking.records import FLAG, RECORD_KEY, find_record

__all__ = ["cleanup"]


def cleanup(
    target: Any,
    path: str | None = "",
    *,
    temp_store: Any = None,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Delete what stopped jobs left at and below a path: receipts, intermediate objects, half-made rechunks.

    No job may be at work there. What a job has copied or converted stays: run it again to finish it, or delete the
    target. A target of `rechunk` that was there before, and was to grow (``append=True``), stays as it was.

    Parameters
    ----------
    target : str, Store or MutableMapping
        Store of the target.
    path : str, optional
        Path of the target in it; the root by default.
    temp_store : str, Store or MutableMapping, optional
        The `temp_store` of a rechunk, if it had one.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    tuple of str
        The keys that were deleted.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> store = zarrds.MemoryStore()
    >>> job = zarrds.dask.rechunk(zarrds.ones(100, chunks=1), store, chunks=10)  # not computed
    >>> zarrds.verify(store).problems[0].kind
    'unfinished'
    >>> zarrds.dask.cleanup(store)
    ('.zarray', '.zarrds-job/rechunk', '.zattrs')
    """
    ours, of_temp = options_by_place(storage_options, target, temp_store)
    store = as_store(target, mode="r+", storage_options=ours)
    temp = None if temp_store is None else as_store(temp_store, mode="r+", storage_options=of_temp)
    where = normalize_path(path)
    before = set(store.keys_below(level(where)))
    for at in sorted(_paths_of_rechunks(before)):
        _clean(store, at, temp)
    if _is_flagged(store, where):
        _node.delete_node(store, where)
    clean_receipts(store, where)
    return tuple(sorted(before - set(store.keys_below(level(where)))))


def _paths_of_rechunks(keys: Iterable[str]) -> set[str]:
    """Return the paths of the targets of unfinished rechunks."""
    return {
        key.removesuffix(RECORD_KEY).rstrip("/") for key in keys if key == RECORD_KEY or key.endswith("/" + RECORD_KEY)
    }


def _clean(store: Store, where: str, temp: Store | None) -> None:
    """Remove an unfinished target, or put one that was to grow back to what it was."""
    record = find_record(store, where)
    if record is None:
        return
    if record.grows:
        for name in record.arrays:
            _put_back(store, join_path(where, name))
        root = _node.find_node(store, where)
        if isinstance(root, GroupMeta):
            take_off_flag(store, where, root.zarr_format)
    # the flag of a new target stays until that is gone: it never looks whole
    remove_leftovers(store, where, temp=temp)
    if not record.grows:
        _node.delete_node(store, where)


def _is_flagged(store: Store, path: str) -> bool:
    """Return whether the node at a path is a half-made target."""
    node = _node.find_node(store, path)
    return node is not None and FLAG in Attributes(store, _node.attributes_key(path, node))


def _put_back(store: Store, path: str) -> None:
    """Remove what lies behind the end of an array that was to grow, and its flag."""
    meta = _node.load_array(store, path)
    source = OpenSource(store, path, meta)
    delete_behind(source)
    trim_edges(source, [True] * meta.ndim)
    take_off_flag(store, path, meta.zarr_format)
