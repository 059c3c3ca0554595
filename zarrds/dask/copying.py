"""Copy hierarchies from store to store as encoded bytes, without decoding them.

The unit of work is a range of the chunks of one array, in the flat order of its grid. Keys follow from the metadata, so
nothing is listed and the graph contains nothing for each chunk. Documents are copied after all chunks, children before
parents and consolidated metadata last, so that no reader finds a node before its data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from zarrds import _node
from zarrds._copy import differing_separator, document_rank, spelled_out
from zarrds._engine import windows
from zarrds._format import (
    CONSOLIDATED_KEY,
    FORMATS,
    GROUP_KEY,
    ArrayMeta,
    GroupMeta,
    KeyEncoding,
    Node,
    chunk_count,
    format_of,
    grid_shape,
    node_key,
)
from zarrds._store import Store, StoreSpec, ancestors, as_store, buffer_size, normalize_path, refuse_overlap
from zarrds._types import Buf, ByteRange, Shape
from zarrds.dask.batches import Batches, Limits, Part, coords_between
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.errors import ContainsArrayError, CopyError

__all__ = ["CopyReport", "KeyRange", "copy_documents", "copy_keys", "copy_store"]

HELD_BYTES = 16 * 2**20
"""Decoded bytes of the chunks that a task copies at once; their encoded values are seldom larger."""
HELD_KEYS = 512

IfExists = Literal["raise", "replace", "skip"]
_EXISTS = ByteRange(0, 1)


@dataclass(frozen=True, slots=True)
class CopyReport:
    """Result of a copy.

    Attributes
    ----------
    copied : int
        Keys copied, documents included.
    skipped : int
        Keys that were in the destination already and were not copied.
    bytes : int
        Bytes of the values copied.
    missing : int
        Chunks that are absent in the source.
    """

    copied: int = 0
    skipped: int = 0
    bytes: int = 0
    missing: int = 0

    def __add__(self, other: CopyReport) -> CopyReport:
        return CopyReport(
            self.copied + other.copied,
            self.skipped + other.skipped,
            self.bytes + other.bytes,
            self.missing + other.missing,
        )


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Some chunks of one array, in C order of its grid.

    Attributes
    ----------
    path : str
        Path of the array, relative to what is copied.
    grid : tuple of int
        Number of chunks along each dimension.
    keys : KeyEncoding
        Translates coordinates to keys.
    chunk_bytes : int
        Decoded bytes of a chunk.
    start, stop : int
        First chunk, and one past the last.
    """

    path: str
    grid: Shape
    keys: KeyEncoding
    chunk_bytes: int
    start: int
    stop: int

    def __iter__(self) -> Iterator[str]:
        prefix = f"{self.path}/" if self.path else ""
        return (prefix + self.keys.key(at) for at in coords_between(self.grid, self.start, self.stop))


@dataclass(frozen=True, slots=True)
class CopyWork:
    """Arguments that all tasks of one copy share: both places, and what to do with keys that exist."""

    source: StoreSpec
    dest: StoreSpec
    source_path: str
    dest_path: str
    if_exists: IfExists
    zarr_format: int


def copy_store(
    source: Any,
    dest: Any,
    source_path: str = "",
    dest_path: str = "",
    *,
    if_exists: IfExists = "raise",
    batch_keys: int = 1000,
    batch_bytes: int = 128 * 2**20,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job:
    """Prepare to copy arrays and groups from one store to another without decoding chunks.

    The copy contains documents, consolidated metadata, and the chunks of the arrays, but no other keys. This call reads
    the metadata; the job that it returns does everything else.

    Parameters
    ----------
    source, dest : str, Store or MutableMapping
        Stores of source and destination.
    source_path, dest_path : str
        Group or array to copy, and where to put it; the roots by default.
    if_exists : {"raise", "replace", "skip"}
        What to do with keys of the destination: "raise" an error if a node is there, before anything is copied;
        "replace" them, and delete chunks that are absent in the source; or "skip" them.
    batch_keys, batch_bytes : int
        Largest number of chunks, and of their decoded bytes, that one task copies.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file systems behind URLs.

    Returns
    -------
    Job
        Its `compute` returns a `CopyReport`.

    Raises
    ------
    CopyError
        With ``if_exists="raise"``, a node is at the destination. Nothing has been written.
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
    CopyReport(copied=13, skipped=0, bytes=..., missing=0)
    >>> int(zarrds.open_group(copy)["foo/bar"][:].sum())
    100
    """
    if if_exists not in ("raise", "replace", "skip"):
        raise ValueError(f"if_exists must be 'raise', 'replace' or 'skip', found {if_exists!r}")
    from_store = as_store(source, mode="r", storage_options=storage_options)
    to_store = as_store(dest, mode="w", storage_options=storage_options)
    from_path, to_path = normalize_path(source_path), normalize_path(dest_path)
    refuse_overlap([from_store.place(from_path)], [to_store.place(to_path)], path=to_path, linked=True)
    require_shareable(from_store, to_store)
    documents = _node.documents_below(from_store, from_path)
    if not documents:
        raise _node.not_found(from_store, from_path)
    start = len(from_path) + 1 if from_path else 0
    parsed = {key[start:]: value for key, value in documents.items()}
    to_store.check_documents([(node_key(to_path, key), text) for key, text in parsed.items()], encoded=True)
    _check_destination(to_store, to_path, parsed, if_exists)
    nodes = [(path, _node.as_stored(from_store, node)) for path, node in _parsed(parsed)]
    formats = [node.zarr_format for path, node in nodes if not path] or [node.zarr_format for _, node in nodes] or [2]
    work = CopyWork(from_store.spec(), to_store.spec(), from_path, to_path, if_exists, formats[0])
    return _job(work, parsed, _batches(nodes, batch_keys, batch_bytes), retries)


def _parsed(documents: Mapping[str, Buf]) -> Iterator[tuple[str, Node]]:
    """Return pairs of path and node for all documents; a path has several nodes if it has several formats."""
    for path in dict.fromkeys(key.rpartition("/")[0] for key in documents):
        for known in FORMATS:
            node = known.parse_node(path, [documents.get(key) for key in known.node_keys(path)])
            if node is not None:
                yield path, node


def _check_destination(store: Store, path: str, documents: Mapping[str, Buf], if_exists: str) -> None:
    """Raise an error for nodes that must not be replaced, and for arrays where groups are needed."""
    for above in ancestors(path):
        if _node.contains_array(store, above):
            raise ContainsArrayError("an array is where a group is needed", path=above)
    if if_exists != "raise":
        return
    keys = [node_key(path, key) for key in documents]
    for key, found in zip(keys, store.get_many([(key, _EXISTS) for key in keys]), strict=True):
        if found is not None:
            raise CopyError(
                "the destination holds this already", key=key, hint="pass if_exists='replace' or if_exists='skip'"
            )


def _batches(nodes: Sequence[tuple[str, Node]], keys: int, nbytes: int) -> list[tuple[KeyRange, ...]]:
    """Return the chunks of all arrays in batches, one for each task; small arrays share a batch."""
    arrays = [(path, node) for path, node in nodes if isinstance(node, ArrayMeta)]
    counts = [chunk_count(meta.shape, meta.write_unit) for _, meta in arrays]
    limits, batches = Limits.of(keys, nbytes, sum(counts)), Batches()
    for number, (count, (_, meta)) in enumerate(zip(counts, arrays, strict=True)):
        if count:
            batches.add(number, [(0, count)], limits.chunks(meta.chunk.nbytes))
    batches.close()
    return [tuple(_key_range(*arrays[part.number], part) for part in batch) for batch in batches.every()] or [()]


def _key_range(path: str, meta: ArrayMeta, part: Part) -> KeyRange:
    grid = grid_shape(meta.shape, meta.write_unit)
    return KeyRange(path, grid, meta.keys, max(1, meta.chunk.nbytes), part.start, part.stop)


def _job(work: CopyWork, documents: Mapping[str, Buf], batches: Sequence[tuple[KeyRange, ...]], retries: int) -> Job:
    graph = GraphBuilder(work, retries=retries)
    chunks = graph.stage("zarrds-copy", copy_keys, batches)
    done = graph.stage("zarrds-meta", copy_documents, [_in_order(documents)], after=chunks)
    return graph.job(done, _report, stores=(work.source, work.dest))


def _in_order(documents: Mapping[str, Buf]) -> tuple[str, ...]:
    """Sort keys in the order of writing: attributes first, deep nodes first, consolidated metadata last."""
    groups = [key.rpartition("/")[0] for key in documents if key.rpartition("/")[2] == GROUP_KEY]
    nodes = {key.rpartition("/")[0] for key in documents}
    # all documents that a node may have: those absent in the source are deleted when the destination is replaced
    every = {key for path in nodes for known in FORMATS for key in known.document_keys(path)}
    keys = sorted(every, key=document_rank)
    return (*keys, *(node_key(path, CONSOLIDATED_KEY) for path in sorted(groups, reverse=True)))


def _report(found: CopyReport) -> CopyReport:
    return found


# --- tasks -----------------------------------------------------------------------------------------------------------


def copy_keys(work: CopyWork, batch: Sequence[KeyRange], after: Any = None) -> CopyReport:
    """Copy some chunks in batches of bounded size."""
    report = CopyReport()
    for keys in batch:
        held = max(1, min(HELD_KEYS, HELD_BYTES // keys.chunk_bytes))
        for some in windows(keys, held):
            report += _copy_some(work, some)
    return report


def copy_documents(work: CopyWork, keys: Sequence[str], chunks: CopyReport) -> CopyReport:
    """Copy documents in the given order, after the chunks; return the receipts of both in one."""
    dest = work.dest.open()
    missing = [path for path in ancestors(work.dest_path) if not _node.contains_group(dest, path)]
    report = chunks
    for some in windows(keys, HELD_KEYS):
        found = _copy_some(work, some)
        report += CopyReport(found.copied, found.skipped, found.bytes)
    group = GroupMeta(zarr_format=work.zarr_format)
    for path in reversed(missing):
        dest.set_many(format_of(group).group_documents(path, group))
    return report


def _copy_some(work: CopyWork, keys: list[str]) -> CopyReport:
    source, dest = work.source.open(), work.dest.open()
    skipped = 0
    if work.if_exists == "skip":
        there = dest.get_many([(node_key(work.dest_path, key), _EXISTS) for key in keys])
        skipped = sum(found is not None for found in there)
        keys = [key for key, found in zip(keys, there, strict=True) if found is None]
    values = source.get_many([(node_key(work.source_path, key), None) for key in keys]) if keys else []
    found = [(node_key(work.dest_path, k), v) for k, v in zip(keys, values, strict=True) if v is not None]
    separator = differing_separator(source, dest)
    if separator is not None:
        found = [(key, spelled_out(key, value, separator)) for key, value in found]
    dest.set_many(found)
    if work.if_exists == "replace" and len(found) < len(keys):
        absent = [key for key, value in zip(keys, values, strict=True) if value is None]
        dest.delete_many([node_key(work.dest_path, key) for key in absent])
    nbytes = sum(buffer_size(value) for _, value in found)
    return CopyReport(len(found), skipped, nbytes, len(keys) - len(found))
