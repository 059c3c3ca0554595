"""Count the bytes that a hierarchy takes in its store, as a job: each task lists some prefixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zarrds._format import ArrayMeta, Node, grid_shape, node_key
from zarrds._store import Store, StoreSpec, reverses_levels, sizes_of
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.key_ranges import documents_at, nodes_at, place_of_node

__all__ = ["nbytes_stored"]

MOST_TASKS = 256
_MOST_PREFIXES = 10_000
_SPLIT = 10_000
"""Chunks of an array above which its first directories are listed one by one, where it has directories."""


@dataclass(frozen=True, slots=True)
class _Bytes:
    """Number of bytes; None if the store cannot tell."""

    count: int | None = 0

    def __add__(self, other: _Bytes) -> _Bytes:
        known = self.count is not None and other.count is not None
        return _Bytes((self.count or 0) + (other.count or 0) if known else None)


def nbytes_stored(
    source: Any,
    path: str | None = "",
    *,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job[int]:
    """Prepare to count the bytes that an array, or a group with all below it, takes in its store.

    Tasks list what is below each array, or below the first directories of its chunks; no value is read where the store
    lists sizes.

    Parameters
    ----------
    source : Array, Group, str, Store or MutableMapping
        Node, or where it is stored.
    path : str, optional
        Path of the node.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Job
        Its `compute` returns the number of bytes of documents and chunks; -1 where the store cannot tell.

    Raises
    ------
    PathNotFoundError
        Nothing is at `path`.
    StoreNotShareableError
        The workers of the current scheduler cannot reach the store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> z = zarrds.array(range(100), chunks=10)
    >>> zarrds.dask.nbytes_stored(z).compute() == z.nbytes_stored
    True
    """
    store, where = place_of_node(source, path, storage_options)
    require_shareable(store)
    documents = documents_at(store, where)
    keys, prefixes = _parts(store, where, documents, nodes_at(store, documents))
    parts: list[tuple[str, bool]] = [(key, False) for key in keys] + [(prefix, True) for prefix in prefixes]
    step = max(1, -(-len(parts) // MOST_TASKS))
    graph = GraphBuilder(store.spec(), retries=retries)
    batches = [tuple(parts[i : i + step]) for i in range(0, len(parts), step)]
    return graph.job(graph.stage("zarrds-sizes", _count, batches), _number, stores=(store.spec(),))


def _parts(
    store: Store, path: str, documents: Mapping[str, Any], nodes: Sequence[tuple[str, Node]]
) -> tuple[list[str], list[str]]:
    """Return keys, and prefixes below which everything counts."""
    whole, prefixes = set(), []
    for where, node in nodes:
        if isinstance(node, ArrayMeta):
            split = list(_directories(store, node))
            prefixes += [node_key(path, node_key(where, name)) for name in split] or [node_key(path, where)]
            if not split:
                whole.add(where)
    keys = [node_key(path, key) for key in documents if key.rpartition("/")[0] not in whole]
    return keys, list(dict.fromkeys(prefixes))


def _directories(store: Store, meta: ArrayMeta) -> Iterator[str]:
    """Yield the first directories of the chunks of a large array; nothing if it has none, or not in this order."""
    grid = grid_shape(meta.shape, meta.write_unit)
    nested = meta.keys.separator == "/" and len(grid) > 1 and not reverses_levels(store.spec())
    chunks = 1
    for count in grid:
        chunks *= count
    if nested and chunks > _SPLIT and grid[0] <= _MOST_PREFIXES:
        rest = (0,) * (len(grid) - 1)
        for first in range(grid[0]):
            names = meta.keys.key((first, *rest)).split("/")
            yield "/".join(names[: len(names) - len(rest)])


def _count(store: StoreSpec, batch: Sequence[tuple[str, bool]], after: Any = None) -> _Bytes:
    """Count the bytes of some keys, and of all below some prefixes."""
    real_store, found = store.open(), _Bytes()
    for size in sizes_of(real_store, [key for key, is_prefix in batch if not is_prefix]):
        found += _Bytes(size or 0)
    for prefix in [name for name, is_prefix in batch if is_prefix]:
        size = real_store.size_below(prefix)
        found += _Bytes(None if size < 0 else size)
    return found


def _number(found: _Bytes) -> int:
    return -1 if found.count is None else found.count
