"""Copy hierarchies from store to store as encoded bytes, without decoding them.

The unit of work is a range of the chunks of one array, in the flat order of its grid. Keys follow from the metadata, so
nothing is listed and the graph contains nothing for each chunk. Documents are copied after all chunks, children before
parents and consolidated metadata last, so that no reader finds a node before its data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from zarrds import _node
from zarrds._base.types import Buf
from zarrds._copy import IfExists, OnError, Verify, check_choices, document_rank
from zarrds._format import (
    CONSOLIDATED_KEY,
    FORMATS,
    GROUP_KEY,
    ArrayMeta,
    node_key,
)
from zarrds._store import Store, StoreLike, ancestors, as_store, join_path, normalize_path, refuse_overlap, to_bytes
from zarrds.dask.copy_tasks import (
    EXISTS,
    CopyWork,
    begin,
    copy_documents,
    copy_keys,
)
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.key_ranges import KeyBatch, ListedChunks, documents_at, key_batches, nodes_at
from zarrds.dask.places import state_of_data
from zarrds.dask.receipts import notes_of
from zarrds.dask.reports import CopyReport
from zarrds.errors import ContainsArrayError, CopyError

__all__ = ["copy_store"]


def copy_store(
    source: StoreLike,
    dest: StoreLike,
    source_path: str = "",
    dest_path: str = "",
    *,
    if_exists: IfExists = "raise",
    verify: Verify | None = None,
    on_error: OnError = "raise",
    dry_run: bool = False,
    resume: bool = True,
    batch_keys: int = 1000,
    batch_bytes: int = 128 * 2**20,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
    dest_storage_options: Mapping[str, Any] | None = None,
) -> Job[CopyReport]:
    """Prepare to copy arrays and groups from one store to another without decoding chunks.

    The copy contains documents, consolidated metadata, and the chunks of the arrays, but no other keys. This call reads
    the metadata; the job that it returns does everything else. Within one file system or service (two directories, two
    places in S3 with the same options) the service copies the values, which do not pass through this machine.

    While the job is at work, it keeps small receipts in the destination, below ``.zarrds-job``: one for each batch that
    is done. If it was stopped, prepare and compute the same copy again: it copies what is not done yet. If chunks of
    the source were written in between, that is refused, where the source can tell without requests: stores in memory,
    local files and databases.

    Parameters
    ----------
    source, dest : str, Store or MutableMapping
        Stores of source and destination.
    source_path, dest_path : str
        Group or array to copy, and where to put it; the roots by default.
    if_exists : {"raise", "replace", "skip", "skip_same"}
        What to do with keys of the destination: "raise" an error if a node is there, before anything is copied;
        "replace" them, and delete chunks that are absent in the source; "skip" them; or "skip_same", as "replace", but
        without writing values that have the same size and contents already.
    verify : {"size", "read", "hash"}, optional
        Check each chunk after it was copied: its "size"; that it can be "read" and decoded; or that all its bytes are
        those of the source ("hash"). Only "read" finds chunks that are damaged in the source too: with "skip_same" it
        also decodes chunks that are the same already. By default nothing is read back.
    on_error : {"raise", "report"}
        What to do when a chunk cannot be copied, or is not as `verify` expects: "raise" the error; or copy all others,
        and "report" it. With an error no document is written; a repeated copy tries those batches again. An array that
        was at the destination keeps its documents, and has the chunk that failed its check.
    dry_run : bool, default False
        Copy nothing, and report what would be copied.
    resume : bool, default True
        Go on with an earlier run of the same copy that was stopped. If False, begin again.
    batch_keys, batch_bytes : int
        Largest number of chunks, and of their decoded bytes, that one task copies. A task also does no more than a
        64th of the work, so that little is lost if the job is stopped.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options, dest_storage_options : dict, optional
        Options of the file systems behind the URLs of source and destination; the second are those of the first by
        default.

    Returns
    -------
    Job
        Its `compute` returns a `CopyReport`.

    Raises
    ------
    CopyError
        With ``if_exists="raise"``, a node is at the destination; or another job writes there, or this one was stopped
        and its source has changed since. Nothing has been written.
    PathNotFoundError
        Nothing is at the source.
    SelfOverwriteError
        Source and destination are the same, or one contains the other.
    StoreNotShareableError
        The workers of the current scheduler cannot reach a store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> store, copy = zarrds.MemoryStore(), zarrds.MemoryStore()
    >>> z = zarrds.group(store).array("foo/bar", [1] * 100, chunks=10)
    >>> zarrds.dask.copy_store(store, copy).compute()
    CopyReport(copied=13, skipped=0, bytes=..., seconds=..., missing=0, errors=0)
    >>> int(zarrds.open_group(copy)["foo/bar"][:].sum())
    100
    """
    check_choices(if_exists, verify, on_error)
    options = storage_options if dest_storage_options is None else dest_storage_options
    from_store = as_store(source, mode="r", storage_options=storage_options)
    to_store = as_store(dest, mode="w", storage_options=options or None)
    from_path, to_path = normalize_path(source_path), normalize_path(dest_path)
    refuse_overlap([from_store.place(from_path)], [to_store.place(to_path)], path=to_path, linked=True)
    require_shareable(from_store, to_store)
    # clients have buffers of their own, which would give receipts another name each time
    documents = {key: to_bytes(text) for key, text in documents_at(from_store, from_path).items()}
    to_store.check_documents([(node_key(to_path, key), text) for key, text in documents.items()], encoded=True)
    nodes = nodes_at(from_store, documents)
    # chunks of the destination that are absent in the source are deleted, so both are listed
    listed = ListedChunks(((from_store, from_path), (to_store, to_path)))
    batches = key_batches(nodes, listed, batch_keys, batch_bytes, keep_meta=verify == "read")
    notes, receipts = None, None
    if not dry_run:
        arrays = ((join_path(from_path, path), node) for path, node in nodes if isinstance(node, ArrayMeta))
        state = state_of_data(from_store, arrays, to_store)
        identity = from_store.spec(), from_path, to_path, documents, batch_keys, batch_bytes, state
        notes, receipts = notes_of(
            to_store, to_path, f"copy of /{from_path} of {from_store!r}", *identity, resume=resume
        )
    # what a stopped run of this copy has written is no reason to refuse it
    _check_destination(to_store, to_path, documents, if_exists if receipts is None else "replace")
    formats = [node.zarr_format for path, node in nodes if not path] or [node.zarr_format for _, node in nodes] or [2]
    how = (if_exists, verify, on_error, dry_run, notes)
    work = CopyWork(from_store.spec(), to_store.spec(), from_path, to_path, formats[0], *how)
    return _job(work, documents, batches, receipts or {}, retries)


def _check_destination(store: Store, path: str, documents: Mapping[str, Buf], if_exists: str) -> None:
    """Raise an error for nodes that must not be replaced, and for arrays where groups are needed."""
    for above in ancestors(path):
        if _node.contains_array(store, above):
            raise ContainsArrayError("an array is where a group is needed", path=above)
    if if_exists != "raise":
        return
    keys = [node_key(path, key) for key in documents]
    for key, found in zip(keys, store.get_many([(key, EXISTS) for key in keys]), strict=True):
        if found is not None:
            raise CopyError(
                "the destination holds this already",
                store=repr(store),
                key=key,
                hint="pass if_exists='skip_same' to write only what differs, if_exists='replace' or if_exists='skip'",
            )


def _job(
    work: CopyWork,
    documents: Mapping[str, Buf],
    batches: Sequence[KeyBatch],
    receipts: Mapping[str, Any],
    retries: int,
) -> Job[CopyReport]:
    """Return the job for all batches that have no receipt."""
    # a receipt of "skip" says less than what the other choices promise
    done = {n: r for n, r in receipts.items() if work.if_exists == "skip" or r.get("if_exists") != "skip"}
    todo = [batch for batch in batches if str(batch.number) not in done] or [KeyBatch(0, ())]
    graph = GraphBuilder(work, retries=retries)
    begun = None if work.notes is None else graph.stage("zarrds-begin", begin, [None])
    chunks = graph.stage("zarrds-copy", copy_keys, todo, after=begun)
    finished = graph.stage("zarrds-documents", copy_documents, [_in_order(documents)], after=chunks)
    resumed = CopyReport(resumed=sum(int(receipt.get("keys", 0)) for receipt in done.values()))
    return graph.job(finished, partial(_report, resumed), stores=(work.source, work.dest), resumable=True)


def _in_order(documents: Mapping[str, Buf]) -> tuple[str, ...]:
    """Sort keys in the order of writing: attributes first, deep nodes first, consolidated metadata last."""
    groups = [key.rpartition("/")[0] for key in documents if key.rpartition("/")[2] == GROUP_KEY]
    nodes = {key.rpartition("/")[0] for key in documents}
    # all documents that a node may have: those absent in the source are deleted when the destination is replaced
    every = {key for path in nodes for known in FORMATS for key in known.document_keys(path)}
    keys = sorted(every, key=document_rank)
    return (*keys, *(node_key(path, CONSOLIDATED_KEY) for path in sorted(groups, reverse=True)))


def _report(earlier: CopyReport, found: CopyReport) -> CopyReport:
    return earlier + found
