"""Copy arrays and groups into a group as a job: encoded chunks where both sides have the same, else elements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from zarrds import _node
from zarrds._base.edges import Grid, longest_chunk
from zarrds._convert import Found, nodes_in
from zarrds._copy import IfExists, OnError, Verify, block_shape, check_choices, options_between
from zarrds._engine import ChunkSource
from zarrds._format import ArrayMeta, GroupMeta, chunk_count, format_of, grid_shape
from zarrds._metadata import array_meta
from zarrds._store import Store, join_path, normalize_path, refuse_overlap
from zarrds.core import Array
from zarrds.dask.batches import Batches, Limits
from zarrds.dask.copy_tasks import CopyWork, copy_keys
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.key_ranges import KeyBatch, ListedChunks, key_batches
from zarrds.dask.places import state_of_data
from zarrds.dask.receipts import notes_of
from zarrds.dask.recode_tasks import (
    NewDocuments,
    RecodeBatch,
    RecodeRange,
    begin_nodes,
    recode_blocks,
    write_documents,
)
from zarrds.dask.reports import CopyReport
from zarrds.errors import ArgumentTypeError, CopyError
from zarrds.hierarchy import Group

__all__ = ["copy", "copy_all"]

ENCODED_WEIGHT = 8
"""Roughly how many chunks are copied in the time in which one is decoded and encoded."""


@dataclass(frozen=True, slots=True)
class _How:
    """What the caller has asked for."""

    shallow: bool
    without_attrs: bool
    if_exists: IfExists
    verify: Verify | None
    on_error: OnError
    dry_run: bool
    resume: bool
    batch_keys: int
    batch_bytes: int
    retries: int
    create: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Step:
    """One node before and after the copy; `raw` if encoded chunks are copied."""

    old: Found
    new: Found
    raw: bool


def copy(
    source: Any,
    dest: Group,
    name: str | None = None,
    *,
    shallow: bool = False,
    without_attrs: bool = False,
    if_exists: IfExists = "raise",
    verify: Verify | None = None,
    on_error: OnError = "raise",
    dry_run: bool = False,
    resume: bool = True,
    batch_keys: int = 1000,
    batch_bytes: int = 128 * 2**20,
    retries: int = 3,
    **create_kws: Any,
) -> Job[CopyReport]:
    """Prepare to copy an array or a group into another group, as `zarrds.copy` does.

    Arrays that have the same chunks, codecs and keys on both sides are copied as encoded bytes, by the file system or
    service itself if it has both; others are decoded and encoded, block by block. Documents are written when all chunks
    are there. A copy that was stopped goes on when it is prepared and computed again (see `zarrds.dask.copy_store`).

    Parameters
    ----------
    source : Array or Group
        What to copy.
    dest : Group
        The group that it becomes a member of.
    name : str, optional
        Its name there; that of the source by default.
    shallow : bool, default False
        Copy the arrays directly in `source` only.
    without_attrs : bool, default False
        Do not copy attributes.
    if_exists : {"raise", "replace", "skip", "skip_same"}
        What to do with arrays of the destination: "raise" an error, before anything is copied; "replace" them; "skip"
        them; or "skip_same": where the documents are equal, copy only encoded chunks that differ, and replace other
        arrays, also those that are decoded.
        Groups that exist get the members and attributes of those of the source in addition.
    verify, on_error, dry_run, resume, batch_keys, batch_bytes, retries
        As for `zarrds.dask.copy_store`. Of chunks that are decoded, "read" reads them back, and "hash" also compares
        their elements bit by bit.
    **create_kws
        Options of the new arrays, such as ``chunks``, ``compressor`` or ``shards``; the others are those of the source.

    Returns
    -------
    Job
        Its `compute` returns a `CopyReport`. Of chunks that are decoded, its bytes are those of the elements.

    Raises
    ------
    CopyError
        An array is at the destination that may not be replaced, or another job writes there. Nothing has been written.
    SelfOverwriteError
        Source and destination are the same, or one contains the other.
    TypeError
        Source or destination are not of zarrds; `zarrds.copy` copies from and to HDF5.
    StoreNotShareableError
        The workers of the current scheduler cannot reach a store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> source, dest = zarrds.group(), zarrds.group()
    >>> z = source.array("foo/bar", range(100), chunks=10)
    >>> zarrds.dask.copy(source["foo"], dest, chunks=50).compute().copied
    4
    >>> dest["foo/bar"].chunks, int(dest["foo/bar"][99])
    ((50,), 99)
    """
    _require(source, dest)
    where = (source.name or "").rpartition("/")[2] if name is None else str(name)
    if not where:
        raise ArgumentTypeError("source has no name; give the name of the copy as `name`")
    asked = (shallow, without_attrs, if_exists, verify, on_error, dry_run, resume, batch_keys, batch_bytes, retries)
    return _prepared(source, dest, join_path(dest.path, normalize_path(where)), _How(*asked, create_kws))


def copy_all(
    source: Group,
    dest: Group,
    *,
    shallow: bool = False,
    without_attrs: bool = False,
    if_exists: IfExists = "raise",
    verify: Verify | None = None,
    on_error: OnError = "raise",
    dry_run: bool = False,
    resume: bool = True,
    batch_keys: int = 1000,
    batch_bytes: int = 128 * 2**20,
    retries: int = 3,
    **create_kws: Any,
) -> Job[CopyReport]:
    """Prepare to copy all members of a group into another group, and its attributes, as `zarrds.copy_all` does.

    Parameters
    ----------
    source, dest : Group
        The groups.
    shallow, without_attrs, if_exists, verify, on_error, dry_run, resume, batch_keys, batch_bytes, retries, **create_kws
        As for `zarrds.dask.copy`.

    Returns
    -------
    Job
        Its `compute` returns a `CopyReport`.

    Raises
    ------
    CopyError, SelfOverwriteError, TypeError, StoreNotShareableError
        As for `zarrds.dask.copy`.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> source, dest = zarrds.group(), zarrds.group()
    >>> z = source.array("foo/bar", range(100), chunks=10)
    >>> report = zarrds.dask.copy_all(source, dest).compute()
    >>> dest["foo/bar"]
    <zarrds.core.Array '/foo/bar' (100,) int64>
    """
    _require(source, dest)
    if not isinstance(source, Group):
        raise ArgumentTypeError(f"source must be a group, found {source!r}")
    asked = (shallow, without_attrs, if_exists, verify, on_error, dry_run, resume, batch_keys, batch_bytes, retries)
    return _prepared(source, dest, dest.path or "", _How(*asked, create_kws))


def _require(source: Any, dest: Any) -> None:
    """Raise TypeError for nodes that tasks cannot copy."""
    for name, node, kinds in (("source", source, Array | Group), ("dest", dest, Group)):
        if not isinstance(node, kinds):
            raise ArgumentTypeError(f"{name} must be of zarrds (zarrds.copy copies HDF5 files too), found {node!r}")
        if node.chunk_store is not node.store:
            raise ArgumentTypeError(f"chunks of {name} are in a store of their own; use zarrds.copy")
    if isinstance(source, Array) and source.is_view:
        raise ArgumentTypeError("source is a view of an array; store it with zarrds.dask.to_zarr, or use zarrds.copy")


# --- planning ---------------------------------------------------------------------------------------------------------


def _prepared(source: Array | Group, dest: Group, where: str, how: _How) -> Job[CopyReport]:
    check_choices(how.if_exists, how.verify, how.on_error)
    from_store, to_store, path = source.store, dest.store, source.path or ""
    refuse_overlap([from_store.place(path)], [to_store.place(where)], path=where, linked=True)
    require_shareable(from_store, to_store)
    steps = _steps(source, dest, where, how)
    choices: Any = ("raise", how.verify, how.on_error, how.dry_run)
    work = CopyWork(from_store.spec(), to_store.spec(), path, where, dest.zarr_format, *choices)
    receipts: dict[str, Any] | None = None
    if not how.dry_run:
        what = f"copy of /{path} of {from_store!r}"
        arrays = ((step.old.path, step.old.node) for step in steps if isinstance(step.old.node, ArrayMeta))
        state = state_of_data(from_store, arrays, to_store)
        identity = from_store.spec(), path, where, steps, how.batch_keys, how.batch_bytes, state
        notes, receipts = notes_of(to_store, where, what, *identity, resume=how.resume)
        work = replace(work, notes=notes)
    present = _present(to_store, where, steps)
    same = {step.new.path for step in steps if present.get(step.new.path) == step.new and step.raw}
    todo, replaced, skipped = _decided(steps, present, how.if_exists, is_resumed=receipts is not None, same=same)
    if how.if_exists in ("replace", "skip_same"):  # what a stopped run has not deleted in full is deleted first
        gone = [step.new.path for step in todo if step.new.path not in present]
        replaced += _node.with_removal_mark(to_store, gone)
    if how.if_exists == "skip_same":
        work = replace(work, if_exists="skip_same")
    return _job(work, todo, replaced, CopyReport(skipped=skipped), receipts or {}, present, how)


def _steps(source: Array | Group, dest: Group, where: str, how: _How) -> list[_Step]:
    """Return the nodes to copy, parents first."""
    store, path = source.store, source.path or ""
    documents = _node.documents_below(store, path, source.zarr_format)
    found = nodes_in(store, documents, source.zarr_format)
    if not found:
        raise _node.not_found(store, path)
    steps = []
    for old in found.values():
        below = old.path[len(path) :].lstrip("/")
        if how.shallow and below and ("/" in below or isinstance(old.node, GroupMeta)):
            continue
        steps.append(_step(source, dest, old, join_path(where, below), how))
    return steps


def _step(source: Array | Group, dest: Group, old: Found, where: str, how: _How) -> _Step:
    attributes = {} if how.without_attrs else old.attributes
    if not isinstance(old.node, ArrayMeta):
        extra = old.node.extra if old.node.zarr_format == dest.zarr_format == 3 else "{}"
        return _Step(old, Found(where, GroupMeta(dest.zarr_format, extra), attributes), raw=True)
    array = Array.from_source(ChunkSource(source.store.spec(), old.path, old.node))
    new = _new_meta(array, old.node, dest, how.create)
    raw = (
        (old.node.shape, old.node.chunk, old.node.irregular, old.node.zarr_format)
        == (new.shape, new.chunk, new.irregular, new.zarr_format)
        and (old.node.transformers, old.node.keys) == (new.transformers, new.keys)
        and old.node.chunk.fill.defined  # otherwise the value of absent chunks is undefined, and must be written
    )
    return _Step(old, Found(where, new, attributes), raw)


def _new_meta(array: Array, old: ArrayMeta, dest: Group, create: Mapping[str, Any]) -> ArrayMeta:
    """Return the metadata of the copy of an array."""
    asked = {name: value for name, value in create.items() if name not in ("write_empty_chunks", "zarr_format")}
    number = int(create.get("zarr_format") or dest.zarr_format)
    options = options_between(array, number, asked)
    separator = dest.store.dimension_separator
    if number == 2 and options.get("dimension_separator") is None and separator is not None:
        options["dimension_separator"] = separator
    made = array_meta(**{**options, "zarr_format": number})
    keeps = number == old.zarr_format and not {"dimension_separator", "chunk_key_encoding", "dtype"} & {*asked}
    if keeps and (separator is None or number == 3 or old.keys.separator == separator):
        made = replace(made, keys=old.keys)
    if number == old.zarr_format == 3:
        made = replace(made, extra=old.extra)
    if number == old.zarr_format and not {"fill_value", "dtype"} & {*asked}:
        made = replace(made, chunk=replace(made.chunk, fill=old.chunk.fill))
    return made


def _present(store: Store, where: str, steps: Sequence[_Step]) -> dict[str, Found]:
    """Return the nodes of the destination at the paths of the steps."""
    keys = [key for step in steps for number in (2, 3) for key in format_of(number).document_keys(step.new.path)]
    values = store.get_many([(key, None) for key in keys]) if keys else []
    documents = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
    return {**nodes_in(store, documents, 3), **nodes_in(store, documents, 2)}


def _decided(
    steps: Sequence[_Step], present: Mapping[str, Found], if_exists: str, *, is_resumed: bool, same: Iterable[str]
) -> tuple[list[_Step], list[str], int]:
    """Return the steps that are done, the paths of nodes that are deleted first, and how many steps are skipped."""
    todo, replaced, skipped = [], [], 0
    for step in steps:
        there = present.get(step.new.path)
        is_group = isinstance(step.new.node, GroupMeta)
        if there is None or (is_group and isinstance(there.node, GroupMeta)):
            todo.append(step)
        elif is_resumed and there == step.new:
            todo.append(step)  # written by the run that was stopped
        elif if_exists == "raise":
            raise CopyError(f"{step.new.path!r} exists in the destination", hint="pass if_exists='replace' or 'skip'")
        elif if_exists == "skip":
            skipped += 1
        else:
            todo.append(step)
            if step.new.path not in same or if_exists == "replace":
                replaced.append(step.new.path)
    return todo, replaced, skipped


# --- the graph --------------------------------------------------------------------------------------------------------


def _job(
    work: CopyWork,
    steps: Sequence[_Step],
    replaced: Sequence[str],
    earlier: CopyReport,
    receipts: Mapping[str, Any],
    present: Mapping[str, Found],
    how: _How,
) -> Job[CopyReport]:
    graph = GraphBuilder(work, retries=how.retries)
    begun = None if work.dry_run else graph.stage("zarrds-begin", begin_nodes, [tuple(replaced)])
    copied = [batch for batch in _raw_batches(work, steps, how) if str(batch.number) not in receipts]
    recoded = [batch for batch in _recoded_batches(steps, how) if batch.name not in receipts]
    stages = [graph.stage("zarrds-copy", copy_keys, copied or [KeyBatch(0, ())], after=begun)]
    if recoded:
        stages.append(graph.stage("zarrds-recode", recode_blocks, recoded, after=begun))
    chunks = graph.together(stages)
    done = graph.stage("zarrds-documents", write_documents, [_documents(steps, present)], after=chunks)
    earlier += CopyReport(resumed=sum(int(receipt.get("keys", 0)) for receipt in receipts.values()))
    return graph.job(done, partial(_report, earlier), stores=(work.source, work.dest), resumable=True)


def _raw_batches(work: CopyWork, steps: Sequence[_Step], how: _How) -> list[KeyBatch]:
    start = len(work.source_path) + 1 if work.source_path else 0
    nodes = [(step.old.path[start:], step.old.node) for step in steps if step.raw]
    listed = ListedChunks(((work.source.open(), work.source_path), (work.dest.open(), work.dest_path)))
    return key_batches(nodes, listed, how.batch_keys, how.batch_bytes, keep_meta=how.verify == "read")


def _recoded_batches(steps: Sequence[_Step], how: _How) -> list[RecodeBatch]:
    """Return batches of blocks of the arrays that are decoded; small arrays share a batch."""
    arrays = [whole for step in steps if not step.raw and (whole := _whole(step, how)) is not None]
    limits = Limits.of(how.batch_keys, how.batch_bytes, sum(array.stop for array in arrays))
    batches = Batches()
    for number, array in enumerate(arrays):
        nbytes = max(1, array.new.dtype.itemsize)
        for length in longest_chunk(array.block):
            nbytes *= length
        batches.add(number, [(0, array.stop)], limits.chunks(nbytes, ENCODED_WEIGHT))
    batches.close()
    cut = [tuple(replace(arrays[p.number], start=p.start, stop=p.stop) for p in batch) for batch in batches.every()]
    return [RecodeBatch(f"r{number}", some) for number, some in enumerate(cut)]


def _whole(step: _Step, how: _How) -> RecodeRange | None:
    """Return all blocks of an array; None if it has no elements."""
    old, new = step.old.node, step.new.node
    assert isinstance(old, ArrayMeta)
    assert isinstance(new, ArrayMeta)
    block: Grid = new.write_unit
    # without dimensions there is one block, of one element
    if new.irregular is None:  # else a block is one chunk
        unit = new.chunk.shape
        lengths = block_shape(new.shape, unit, old.chunk.shape, max(1, new.dtype.itemsize)) if new.shape else ()
        block = tuple(-(-length // n) * n for length, n in zip(lengths, unit, strict=True))
    count = chunk_count(new.shape, block) if grid_shape(new.shape, block) or not new.shape else 0
    if not count:
        return None
    empty = bool(how.create.get("write_empty_chunks", False)) or not old.chunk.fill.defined
    return RecodeRange(step.old.path, step.new.path, old, new, block, empty, 0, count)


def _documents(steps: Sequence[_Step], present: Mapping[str, Found]) -> NewDocuments:
    """Return the nodes whose documents are written at the end, the deepest first."""
    arrays, groups, updated = [], [], []
    for step in sorted(steps, key=lambda step: -step.new.path.count("/")):
        there = present.get(step.new.path)
        if isinstance(step.new.node, ArrayMeta):
            arrays.append(step.new)
        elif there is not None and isinstance(there.node, GroupMeta):
            updated.append(Found(step.new.path, there.node, step.new.attributes))
        elif step.new.path:
            groups.append(step.new)
    return NewDocuments(tuple(arrays), tuple(groups), tuple(updated))


def _report(earlier: CopyReport, found: CopyReport) -> CopyReport:
    return earlier + found
