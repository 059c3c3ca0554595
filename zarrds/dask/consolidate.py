"""Consolidate metadata as a job, for stores that only a cluster reaches, or that it reaches faster.

Most of the time is spent waiting for listings and documents. One task for each group at the top of the hierarchy reads
the documents below it, level by level. A last task merges them in a fixed order, so that the result does not depend on
which task ended first, and writes one value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from zarrds import _node
from zarrds._format import CONSOLIDATED_KEY, DOCUMENT_NAMES, FORMATS, GroupMeta, consolidate_documents
from zarrds._store import Store, StoreSpec, as_store, to_bytes
from zarrds.convenience import open_consolidated
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.errors import GroupNotFoundError

__all__ = ["consolidate_metadata"]

MEMBERS_PER_TASK = 64


@dataclass(frozen=True, slots=True)
class _Work:
    """Arguments that all tasks share."""

    store: StoreSpec
    metadata_key: str


@dataclass(frozen=True, slots=True)
class _Documents:
    """Documents by key; a receipt that can be added to others."""

    found: Mapping[str, bytes]

    def __add__(self, other: _Documents) -> _Documents:
        return _Documents({**self.found, **other.found})


def consolidate_metadata(
    store: Any,
    metadata_key: str = CONSOLIDATED_KEY,
    *,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job:
    """Prepare to consolidate all metadata of a hierarchy into a single document, by tasks.

    Parameters
    ----------
    store : str, Store or MutableMapping
        Store of the hierarchy.
    metadata_key : str
        Key of the consolidated metadata.
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
    is_group = isinstance(root, GroupMeta)
    names = [name for name in real_store.listdir() if is_group and not _is_document(name)]
    work = _Work(real_store.spec(), metadata_key)
    graph = GraphBuilder(work, retries=retries)
    batches = [tuple(names[i : i + MEMBERS_PER_TASK]) for i in range(0, len(names), MEMBERS_PER_TASK)] or [()]
    gathered = graph.stage("zarrds-meta", _gather, batches)
    written = graph.stage("zarrds-meta-write", _write, [None], after=gathered)
    return graph.job(written, partial(_opened, work), stores=(work.store,))


def _is_document(name: str) -> bool:
    return name.startswith(".z") or name in DOCUMENT_NAMES


def _gather(work: _Work, names: Sequence[str], after: Any = None) -> _Documents:
    """Read the documents at and below some members of the root."""
    store = work.store.open()
    found: dict[str, bytes] = {}
    for name in names:
        below = _node.documents_below(store, name, listed=True)
        found.update((key, to_bytes(value)) for key, value in below.items())
    return _Documents(found)


def _write(work: _Work, batch: None, gathered: _Documents) -> int:
    """Write one document with all of them; return how many they are."""
    store = work.store.open()
    written, items = consolidate_documents({**_own(store), **gathered.found}, work.metadata_key)
    store.set_many(items)
    return len(written.documents)


def _own(store: Store) -> dict[str, bytes]:
    """Read the documents of the root itself."""
    keys = [key for known in FORMATS for key in known.document_keys("")]
    values = store.get_many([(key, None) for key in keys])
    return {key: to_bytes(value) for key, value in zip(keys, values, strict=True) if value is not None}


def _opened(work: _Work, receipt: int) -> Any:
    return open_consolidated(work.store.open(), metadata_key=work.metadata_key)
