"""Consolidate metadata as a job, for stores that only a cluster reaches, or that it reaches faster.

Most of the time is spent waiting for listings and documents. Groups at the top of the hierarchy are listed until there
are enough prefixes; each task reads the documents below some of them, level by level. A last task merges them in a
fixed order, so that the result does not depend on which task ended first, and writes one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from zarrds import _node
from zarrds._format import CONSOLIDATED_KEY, DOCUMENT_NAMES, FORMATS, GroupMeta, node_key
from zarrds._store import Store, StoreLike, StoreSpec, as_store, to_bytes
from zarrds.convenience import open_consolidated
from zarrds.core import Array
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.errors import ConflictError, GroupNotFoundError
from zarrds.hierarchy import Group

__all__ = ["consolidate_metadata"]

LEAST_PREFIXES = 64
"""Prefixes below which tasks read; groups are listed until there are so many."""
MOST_LISTED = 256
"""Groups that are listed to find them."""
TASKS = 128
MEMBERS_PER_TASK = (4, 64)
"""Least and largest number of prefixes for each task."""
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class _Work:
    """Arguments that all tasks share.

    Attributes
    ----------
    store : StoreSpec
        Store of the hierarchy.
    metadata_key : str
        Key of the consolidated metadata of Zarr v2.
    listed : tuple of str
        Groups whose members are among the prefixes that tasks read.
    """

    store: StoreSpec
    metadata_key: str
    listed: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class _Documents:
    """Documents by key; a receipt that can be added to others."""

    found: Mapping[str, bytes]

    def __add__(self, other: _Documents) -> _Documents:
        return _Documents({**self.found, **other.found})


def consolidate_metadata(
    store: StoreLike,
    metadata_key: str = CONSOLIDATED_KEY,
    *,
    only: Iterable[str] | None = None,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job[Array | Group]:
    """Prepare to consolidate all metadata of a hierarchy into a single document, by tasks.

    Parameters
    ----------
    store : str, Store or MutableMapping
        Store of the hierarchy.
    metadata_key : str
        Key of the consolidated metadata.
    only : iterable of str, optional
        Paths of nodes that have changed: only these are read, and replace what the consolidated metadata have.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Job
        Its `compute` returns the group, opened with the new consolidated metadata.

    Raises
    ------
    GroupNotFoundError
        There is no hierarchy to consolidate.
    ConsolidatedNotFoundError
        With `only`: there are no consolidated metadata yet (raised by `compute`).
    StoreNotShareableError
        The workers of the current scheduler cannot reach the store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> store = zarrds.MemoryStore()
    >>> z = zarrds.group(store).zeros("foo/bar", shape=10)
    >>> zarrds.dask.consolidate_metadata(store).compute()["foo/bar"]
    <zarrds.core.Array '/foo/bar' (10,) float64>
    """
    real_store = as_store(store, mode="r+", storage_options=storage_options)
    require_shareable(real_store)
    root = _node.find_node(real_store, "")
    if root is None:
        raise _node.not_found(real_store, "", GroupNotFoundError)
    if only is not None:
        work = _Work(real_store.spec(), metadata_key)
        graph = GraphBuilder(work, retries=retries)
        written = graph.stage("zarrds-consolidate-some", _refresh, [tuple(only)])
        return graph.job(written, partial(_opened, work), stores=(work.store,))
    prefixes, listed = _prefixes(real_store) if isinstance(root, GroupMeta) else ([], [""])
    work = _Work(real_store.spec(), metadata_key, tuple(listed))
    graph = GraphBuilder(work, retries=retries)
    least, most = MEMBERS_PER_TASK
    step = min(max(least, -(-len(prefixes) // TASKS)), most)
    batches = [tuple(prefixes[i : i + step]) for i in range(0, len(prefixes), step)] or [()]
    gathered = graph.stage("zarrds-metadata", _gather, batches)
    written = graph.stage("zarrds-consolidate", _write, [None], after=gathered)
    return graph.job(written, partial(_opened, work), stores=(work.store,))


def _prefixes(store: Store) -> tuple[list[str], list[str]]:
    """Return prefixes that tasks read, and the groups above them, whose documents are read at the end.

    Directories of arrays, which may hold many chunks, are not listed.
    """
    listed, prefixes = [""], _members(store, "")
    waiting = [name for name, is_array in _node.child_kinds(store, "") if not is_array]
    while len(prefixes) < LEAST_PREFIXES and waiting and len(listed) + len(waiting) <= MOST_LISTED:
        deeper = []
        for group in waiting:
            members = _members(store, group)
            prefixes = [path for path in prefixes if path != group] + members
            listed.append(group)
            deeper += [node_key(group, name) for name, is_array in _node.child_kinds(store, group) if not is_array]
        waiting = deeper
    return prefixes, listed


def _members(store: Store, path: str) -> list[str]:
    return [node_key(path, name) for name in store.listdir(path) if not _is_document(name)]


def _is_document(name: str) -> bool:
    return name.startswith(".z") or name in DOCUMENT_NAMES


def _gather(work: _Work, names: Sequence[str], after: Any = None) -> _Documents:
    """Read the documents at and below some prefixes."""
    store = work.store.open()
    found: dict[str, bytes] = {}
    for name in names:
        below = _node.documents_below(store, name, listed=True)
        found.update((key, to_bytes(value)) for key, value in below.items())
    return _Documents(found)


def _write(work: _Work, batch: None, gathered: _Documents) -> int:
    """Write one document with all of them; return how many they are."""
    store = work.store.open()
    for _ in range(_ATTEMPTS):
        written = _node.write_consolidated(store, {**gathered.found, **_own(store, work.listed)}, work.metadata_key)
        if written is not None:
            return len(written.documents)
    raise ConflictError("others change the document of the group again and again", store=repr(store))


def _refresh(work: _Work, paths: Sequence[str], after: Any = None) -> int:
    """Read the documents of some nodes again."""
    written, _ = _node.refresh_consolidated(work.store.open(), paths, work.metadata_key)
    return len(written.documents)


def _own(store: Store, paths: Sequence[str]) -> dict[str, bytes]:
    """Read the documents of the groups that were listed."""
    keys = [key for path in paths for known in FORMATS for key in known.document_keys(path)]
    values = store.get_many([(key, None) for key in keys])
    return {key: to_bytes(value) for key, value in zip(keys, values, strict=True) if value is not None}


def _opened(work: _Work, receipt: int) -> Array | Group:
    return open_consolidated(work.store.open(), metadata_key=work.metadata_key)
