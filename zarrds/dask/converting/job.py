"""Convert hierarchies from one format to another by tasks.

The work is planned and checked as in `zarrds.convert`; tasks convert the chunks. The documents of an array are written
when all its chunks are there, those of groups and consolidated metadata at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, Literal, NamedTuple, Unpack, overload

from zarrds._convert import (
    NOTES,
    Moving,
    Places,
    Step,
    check_choices,
    described,
    find_places,
    open_both,
    opened,
    plan_in_place,
    plan_to,
    stale_keys,
    units_of,
)
from zarrds._copy import Absent, CopyReport, IfExists, OnError, Verify, expected_bytes, is_listed, writing_to
from zarrds._engine import OpenSource, stored_chunks
from zarrds._format import ArrayMeta, grid_shape
from zarrds._store import LRUStoreCache, Store, StoreLike, StoreSpec, level
from zarrds.core import Array
from zarrds.dask.batches import Batch, Batches, Limits, count_of, flat_ranges
from zarrds.dask.converting.tasks import (
    ConvertWork,
    InPlaceWork,
    batch_name,
    begin_conversion,
    complete_array,
    convert_arrays,
    convert_part,
    copy_renamed,
    finish_conversion,
    note_key,
    remove_chunks,
    write_documents,
)
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.keywords import ConvertKeywords
from zarrds.dask.places import state_of_data
from zarrds.dask.receipts import notes_of
from zarrds.hierarchy import Group

__all__ = ["convert"]

ENCODED_WEIGHT = 8
"""Roughly how many chunks are copied in the time in which one is decoded and encoded."""
REMOVING_TASKS = 256

_Cutting = Callable[[Sequence["_Amount"]], Batches]


@overload
def convert(
    source: Array,
    dest: Array | Group | StoreLike | None = None,
    to: int = 3,
    *,
    report: Literal[False] = False,
    **options: Unpack[ConvertKeywords],
) -> Job[Array]: ...


@overload
def convert(
    source: Group,
    dest: Array | Group | StoreLike | None = None,
    to: int = 3,
    *,
    report: Literal[False] = False,
    **options: Unpack[ConvertKeywords],
) -> Job[Group]: ...


@overload
def convert(
    source: StoreLike,
    dest: Array | Group | StoreLike | None = None,
    to: int = 3,
    *,
    report: Literal[False] = False,
    **options: Unpack[ConvertKeywords],
) -> Job[Array | Group]: ...


@overload
def convert(
    source: Array | Group | StoreLike,
    dest: Array | Group | StoreLike | None = None,
    to: int = 3,
    *,
    report: Literal[True],
    **options: Unpack[ConvertKeywords],
) -> Job[CopyReport]: ...


def convert(
    source: Array | Group | StoreLike,
    dest: Array | Group | StoreLike | None = None,
    to: int = 3,
    *,
    path: str | None = None,
    dest_path: str | None = None,
    keep: bool = False,
    if_exists: IfExists = "raise",
    verify: Verify | None = None,
    on_error: OnError = "raise",
    dry_run: bool = False,
    report: bool = False,
    log: Any = None,
    batch_keys: int = 1000,
    batch_bytes: int = 128 * 2**20,
    resume: bool = True,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
    dest_storage_options: Mapping[str, Any] | None = None,
) -> Job[Any]:
    """Prepare to convert a hierarchy, or one array, to another format; tasks convert the chunks.

    The result is that of `zarrds.convert`; see there for details. This call reads the documents and raises an error for
    everything that the new format cannot express; the job that it returns does all writing. To finish a conversion that
    was stopped, prepare and compute it again: it skips complete arrays, and parts of a large array that are recorded
    as done. Parts count as done only while the chunks of their array in the source were not written since, where the
    source can tell without requests (stores in memory, local files and databases). After other changes of the source,
    use ``if_exists="skip_same"``.

    Parameters
    ----------
    source : MutableMapping, str, Array or Group
        Store, path of a directory or URL; or a node, which is converted with all below it.
    dest : MutableMapping, str or Group, optional
        Destination; None converts in place: chunks keep their keys or, from Zarr v3 to v2, get other keys.
    to : {3, 2}
        The new format.
    path, dest_path : str, optional
        Node in the source, and where it goes in `dest`; the root by default.
    keep : bool, optional
        Keep the old documents, and chunks under old keys, when converting in place.
    if_exists : {"raise", "replace", "skip", "skip_same"}
        What to do with nodes at `dest`: see `zarrds.convert`. A stopped run with "replace" goes on too: what it has
        written is done. In a chunk that is replaced while it is the same otherwise ("skip_same"), readers may find the
        old or the new values.
    verify : {"size", "read", "hash"}, optional
        Check each chunk after it was written: see `zarrds.convert`.
    on_error : {"raise", "report"}
        What to do when a chunk cannot be converted: see `zarrds.convert`. The job, prepared and computed again, tries
        those parts again.
    dry_run : bool, default False
        Write nothing, and report what would be converted: see `zarrds.convert`.
    report : bool, default False
        Let `compute` return a `CopyReport` of the chunks in place of the node. Of chunks that are decoded, its bytes
        are those of the elements. Needed with `dry_run` and ``on_error="report"``.
    log : callable, file path or file-like object, optional
        Gets a line, at once, for each array that will be copied or encoded.
    batch_keys, batch_bytes : int
        Largest number of chunks, and of their decoded bytes, that one task copies. A task encodes an eighth of that. It
        has 16 MiB of them in memory at a time, or one chunk that is larger.
    resume : bool, default True
        Go on with an earlier run of the same conversion that was stopped. If False, parts that are recorded as done are
        done again.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options, dest_storage_options : dict, optional
        Options of the file systems behind URLs.

    Returns
    -------
    Job
        Its `compute` returns the converted `Array` or `Group`, opened for reading and writing; with `report`, what was
        done.

    Raises
    ------
    UnsupportedFormatError
        The new format cannot express something; the error names the node and the member. Nothing was written.
    ContainsArrayError, ContainsGroupError
        Another node is where the new documents should be.
    CopyError
        Another job writes there, or was stopped; when computed, a chunk is not as `verify` expects it.
    PathNotFoundError
        There is nothing to convert.
    StoreNotShareableError
        The workers of the current scheduler cannot reach a store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> z = zarrds.open("data/shards.zarr", mode="w", shape=10, chunks=1, shards=5, dtype="i4", zarr_format=3)
    >>> z[:] = range(10)
    >>> new = zarrds.dask.convert("data/shards.zarr", "data/chunks.zarr", to=2).compute()
    >>> new.zarr_format, new.chunks, new[:3]
    (2, (1,), array([0, 1, 2], dtype=int32))
    """
    moving = Moving(verify=verify, on_error=on_error, dry_run=dry_run)
    check_choices(if_exists, moving, report=report, in_place=dest is None)
    at = find_places(source, dest, to, path, dest_path, storage_options, dest_storage_options)
    require_shareable(*([] if at.source is None else [at.source]), at.dest)
    how = _How(partial(_batches, keys=batch_keys, nbytes=batch_bytes), if_exists, moving, report, resume, retries)
    if at.source is None:
        return _in_place(at, to, keep, how)
    return _elsewhere(at.source, at, to, how, log)


class _How(NamedTuple):
    """What the caller has asked for."""

    batches: _Cutting
    if_exists: IfExists
    moving: Moving
    report: bool
    resume: bool
    retries: int


class _Amount(NamedTuple):
    """Chunks of an array to be converted, and the cost of one of them."""

    ranges: Sequence[tuple[int, int]]
    nbytes: int
    weight: int


def _batches(arrays: Sequence[_Amount], keys: int, nbytes: int) -> Batches:
    """Return the batches of all arrays, which are numbered in the given order."""
    limits, batches = Limits.of(keys, nbytes, sum(count_of(array.ranges) for array in arrays)), Batches()
    for number, array in enumerate(arrays):
        batches.add(number, array.ranges, limits.chunks(array.nbytes, array.weight))
    batches.close()
    return batches


def _opened(dest: StoreSpec, path: str, to: int, receipt: CopyReport) -> Array | Group:
    store = dest.open()
    if isinstance(store, LRUStoreCache):
        store.invalidate()  # others may have written chunks that the cached listing takes for absent
    return opened(store, path, to)


def _reported(resumed: int, receipt: CopyReport) -> CopyReport:
    return receipt + CopyReport(resumed=resumed)


# --- into another place -----------------------------------------------------------------------------------------------


def _elsewhere(source: Store, at: Places, to: int, how: _How, log: Any) -> Job[Any]:
    dest, notes = at.dest, None

    def is_begun(steps: Sequence[Step]) -> bool:
        nonlocal notes
        what = f"conversion of /{at.path} of {source!r} to Zarr v{to}"
        identity = source.spec(), at.path, at.dest_path, to, how.if_exists, [step.old for step in steps]
        notes, receipts = notes_of(dest, at.dest_path, what, *identity, resume=how.resume or how.moving.dry_run)
        return receipts is not None

    plan = plan_to(source, at.path, dest, at.dest_path, at.number, to, how.if_exists, is_begun)
    with writing_to(log) as say:
        for step in plan.arrays:
            say(described(step))
    left = list(dest.keys_below(level(plan.dest_path)))
    to_do = [_to_do(source, dest, step, is_empty=not left, is_same=step.new.path in plan.same) for step in plan.arrays]
    batches = how.batches([amount for amount, _ in to_do])
    states = {number: _state(source, dest, plan.arrays[number]) for number in batches.own}
    absent = tuple(absent for _, absent in to_do)
    work = ConvertWork(source.spec(), dest.spec(), plan, absent, how.moving, notes, states)
    parts_done = {key for key in left if f"/{NOTES}/" in f"/{key}"} if how.resume else set()
    return _job_elsewhere(work, batches, parts_done, how)


def _to_do(source: Store, dest: Store, step: Step, *, is_empty: bool, is_same: bool) -> tuple[_Amount, Absent]:
    """Return the chunks of an array to be converted, and what becomes of chunks that the source does not have.

    `is_empty` says that nothing is at the destination, `is_same` that this array is there with the same documents.
    """
    reader, writer = open_both(source, dest, step)
    units = set() if is_empty else units_of(reader, writer)
    weight = 1 if step.raw else ENCODED_WEIGHT
    amount = _Amount(_ranges(reader, units), expected_bytes(reader.meta), weight)
    return amount, _absent(reader, bool(units) or is_same)


def _state(source: Store, dest: Store, step: Step) -> str:
    """Return what differs once chunks of an array in the source were written."""
    assert isinstance(step.old.node, ArrayMeta)
    return state_of_data(source, [(step.old.path, step.old.node)], dest)


def _ranges(reader: OpenSource, units: set[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return the chunks of the source to convert: those stored, if a listing is made, and those given."""
    grid = grid_shape(reader.meta.shape, reader.meta.write_unit)
    if is_listed(reader):
        return flat_ranges(grid, units.union(stored_chunks(reader)))
    return [(0, prod(grid))] if prod(grid) else []


def _absent(reader: OpenSource, is_dirty: bool) -> Absent:
    if is_dirty:
        return "delete"
    # the file system copies chunks that are known to be there; a listing in each task would cost more than it saves
    return "raise" if reader.store.profile.kind == "disk" and is_listed(reader) else "skip"


def _job_elsewhere(work: ConvertWork, batches: Batches, notes: set[str], how: _How) -> Job[Any]:
    graph = GraphBuilder(work, retries=how.retries)
    begins = not how.moving.dry_run and (work.notes is not None or work.plan.replaced)
    begun = graph.stage("zarrds-begin", begin_conversion, [None]) if begins else None
    done = [graph.stage("zarrds-convert", convert_arrays, batches.shared, after=begun)] if batches.shared else []
    resumed: list[str] = []
    for number, own in batches.own.items():
        parts, noted = _parts_of_array(graph, work, own, notes, begun)
        resumed += noted
        done.append(graph.stage("zarrds-meta", complete_array, [number], after=parts))
    chunks = graph.together(done) if done else begun
    finished = graph.stage("zarrds-meta", finish_conversion, [None], after=chunks)
    finish: Any = partial(_opened, work.dest, work.plan.dest_path, work.plan.to)
    if how.report:
        finish = partial(_reported, _chunks_noted(work.dest.open(), resumed))
    return graph.job(finished, finish, stores=(work.source, work.dest), resumable=True)


def _parts_of_array(
    graph: GraphBuilder, work: ConvertWork, batches: Sequence[Batch], notes: set[str], after: Hashable
) -> tuple[Hashable, list[str]]:
    """Add the parts of a large array that are not done yet; return what to wait for, and the notes on those done."""
    keys = [note_key(work, batch) if notes else "" for batch in batches]
    missing = [batch for batch, key in zip(batches, keys, strict=True) if key not in notes]
    parts = graph.stage("zarrds-convert", convert_part, missing, after=after) if missing else after
    return parts, [key for key in keys if key in notes]


def _chunks_noted(dest: Store, keys: Sequence[str]) -> int:
    """Return how many chunks the parts have together whose notes are given."""
    values = dest.get_many([(key, None) for key in keys]) if keys else []
    # earlier versions wrote no number
    return sum(int(text) for value in values if value is not None and (text := bytes(value)).isdigit())


# --- in place ---------------------------------------------------------------------------------------------------------


def _in_place(at: Places, to: int, keep: bool, how: _How) -> Job[Any]:
    store = at.dest
    plan = plan_in_place(store, at.dest_path, to, keep)
    arrays, amounts, stale = plan.renamed, [], []
    for step in arrays:
        reader, writer = open_both(store, store, step)
        grid = grid_shape(reader.meta.shape, reader.meta.write_unit)
        amounts.append(_Amount(flat_ranges(grid, stored_chunks(reader)), expected_bytes(reader.meta), 1))
        stale += stale_keys(reader, writer)
    notes, receipts = None, None
    if to == 2:  # chunks get other keys
        what = f"conversion of /{plan.path} to Zarr v{to}"
        notes, receipts = notes_of(store, plan.path, what, plan.path, keep, resume=how.resume or how.moving.dry_run)
    work = InPlaceWork(store.spec(), plan, tuple(arrays), tuple(stale), notes, how.moving)
    return _job_in_place(work, how.batches(amounts), receipts or {}, how)


def _job_in_place(work: InPlaceWork, batches: Batches, receipts: Mapping[str, Any], how: _How) -> Job[Any]:
    graph, plan = GraphBuilder(work, retries=how.retries), work.plan
    every = batches.every()
    names = [batch_name(work.arrays, batch) for batch in every]
    missing = [batch for batch, name in zip(every, names, strict=True) if name not in receipts]
    copied = graph.stage("zarrds-convert", copy_renamed, missing) if missing else None
    done = graph.stage("zarrds-meta", write_documents, [None], after=copied)
    if plan.to == 2 and not plan.keep:
        length = -(-len(plan.everything) // REMOVING_TASKS)
        parts = [(n, n + length) for n in range(0, len(plan.everything), length)]
        done = graph.stage("zarrds-delete", remove_chunks, parts, after=done)
    resumed = sum(int(receipts[name].get("keys", 0)) for name in names if name in receipts)
    finish = partial(_reported, resumed) if how.report else partial(_opened, work.store, plan.path, plan.to)
    return graph.job(done, finish, stores=(work.store,), resumable=True)
