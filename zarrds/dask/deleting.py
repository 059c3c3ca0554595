"""Delete a hierarchy as a job: its documents first, then its chunks by many tasks, then what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import time
from typing import Any

from zarrds import _node
from zarrds._engine import windows
from zarrds._format import node_key
from zarrds._store import StoreSpec
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.key_ranges import KeyBatch, ListedChunks, key_batches, place_of_node, readable_nodes
from zarrds.dask.reports import DeleteReport
from zarrds.errors import ReadOnlyError

__all__ = ["delete"]

_KEYS = 1000


@dataclass(frozen=True, slots=True)
class _Work:
    """Arguments that all tasks share."""

    store: StoreSpec
    path: str
    force: bool
    dry_run: bool


def delete(
    store: Any,
    path: str | None = "",
    *,
    force: bool = False,
    dry_run: bool = False,
    batch_keys: int = 5000,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job[DeleteReport]:
    """Prepare to delete an array or a group with all below it.

    Where the store can, it disappears in one step, by one task. Elsewhere one task marks it as deleted and deletes its
    documents, so that nobody opens it any more; others delete the chunks that its arrays may have; the last one deletes
    what is left, and the mark. If the job is stopped, prepare and compute it again.

    Parameters
    ----------
    store : Array, Group, str, Store or MutableMapping
        What to delete, or the store of it.
    path : str, optional
        Path of the node; all that is in the store by default.
    force : bool, default False
        Delete files that belong to no hierarchy too. Without it they are listed before anything is deleted.
    dry_run : bool, default False
        Delete nothing, and count the keys.
    batch_keys : int
        Largest number of chunks that one task deletes.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Job
        Its `compute` returns a `DeleteReport`.

    Raises
    ------
    ForeignFilesError
        There are files that belong to no hierarchy (raised by `compute`). Nothing was deleted.
    ReadOnlyError
        The store is read-only.
    StoreNotShareableError
        The workers of the current scheduler cannot reach the store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> store = zarrds.MemoryStore()
    >>> z = zarrds.group(store).array("u", range(4), chunks=2)
    >>> zarrds.dask.delete(store, "u").compute().deleted, sorted(store)
    (3, ['.zgroup'])
    """
    real_store, where = place_of_node(store, path, storage_options, mode="r" if dry_run else "r+")
    require_shareable(real_store)
    if not (dry_run or real_store.is_writeable()):
        raise ReadOnlyError(store=repr(real_store), path=where or None)
    _node.refuse_consolidated(real_store, where)
    work = _Work(real_store.spec(), where, force, dry_run)
    graph = GraphBuilder(work, retries=retries)
    done = graph.stage("zarrds-delete-documents", _begin, [None])
    nodes = [] if dry_run else readable_nodes(real_store, where)
    batches = key_batches(nodes, ListedChunks(((real_store, where),)), batch_keys, 2**63)
    if any(batch.count() for batch in batches):
        done = graph.stage("zarrds-delete", _delete_chunks, batches, after=done)
    if not dry_run:
        done = graph.stage("zarrds-delete-rest", _finish, [None], after=done)
    return graph.job(done, _report, stores=(work.store,), resumable=True)


def _begin(work: _Work, batch: None, after: Any = None) -> DeleteReport:
    """Delete all in one step, or mark it as deleted and delete the documents; return how many keys there were."""
    store, started = work.store.open(), time()
    below = _node.expect_ours(store, work.path, force=work.force)
    if not work.dry_run:
        _node.begin_removal(store, work.path, below)
    return DeleteReport(len(below.keys), work.dry_run).since(started)


def _delete_chunks(work: _Work, batch: KeyBatch, begun: DeleteReport) -> DeleteReport:
    """Delete some chunks, unless all has been deleted in one step."""
    store, started = work.store.open(), time()
    if _node.has_removal_mark(store, work.path):
        for some in batch.ranges:
            for keys in windows(some, _KEYS):
                store.delete_many([node_key(work.path, key) for key in keys])
    # the first task has counted the keys; all others get its report
    return DeleteReport(begun.deleted if batch.number == 0 else 0).since(started)


def _finish(work: _Work, batch: None, deleted: DeleteReport) -> DeleteReport:
    """Delete what is left, and the mark."""
    started = time()
    _node.delete_node(work.store.open(), work.path, force=True)
    return deleted.since(started)


def _report(found: DeleteReport) -> DeleteReport:
    return found
