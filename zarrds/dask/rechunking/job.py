"""Store arrays again with other chunks, within a memory bound."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Unpack, overload

import numpy as np

from zarrds import _node
from zarrds._engine import places_of
from zarrds._format import ArrayMeta
from zarrds._store import as_store, fingerprint, join_path, normalize_path, refuse_overlap
from zarrds.core import Array
from zarrds.dask.jobs import GraphBuilder, Job
from zarrds.dask.keywords import RechunkKeywords
from zarrds.dask.places import opened_node, options_by_place
from zarrds.dask.rechunking.creating import continued, create, is_being_created, prepare_growth
from zarrds.dask.rechunking.finishing import Finish, finish_rechunk
from zarrds.dask.rechunking.lazy import (
    chunk_lengths_of,
    deleting,
    direct_job,
    is_dask_array,
    stored_blocks,
    storing_job,
)
from zarrds.dask.rechunking.preview import GroupPlan
from zarrds.dask.rechunking.records import JobRecord, Remaining, remaining_blocks
from zarrds.dask.rechunking.request import Request, memory_of_task, place_of_objects
from zarrds.dask.rechunking.stages import RechunkWork
from zarrds.dask.rechunking.targets import TARGET_OPTIONS, is_consolidated
from zarrds.dask.rechunking.wanted import arrays_below
from zarrds.dask.reports import CopyReport
from zarrds.dask.tasks import rechunk_blocks
from zarrds.errors import ArgumentError, ArgumentTypeError
from zarrds.hierarchy import Group

__all__ = ["rechunk", "rechunk_job"]

MAX_TASKS = 10_000
"""Largest number of tasks in a stage; with more blocks, each task does several."""


@overload
def rechunk(
    source: Any, target_store: Any, *, report: Literal[True], **options: Unpack[RechunkKeywords]
) -> Job[CopyReport]: ...


@overload
def rechunk(
    source: Array, target_store: Any, *, report: Literal[False] = False, **options: Unpack[RechunkKeywords]
) -> Job[Array]: ...


@overload
def rechunk(
    source: Group, target_store: Any, *, report: Literal[False] = False, **options: Unpack[RechunkKeywords]
) -> Job[Group]: ...


@overload
def rechunk(
    source: Any, target_store: Any, *, report: Literal[False] = False, **options: Unpack[RechunkKeywords]
) -> Job[Array | Group]: ...


def rechunk(
    source: Any,
    target_store: Any,
    *,
    chunks: Any = None,
    max_mem: int | str | None = None,
    temp_store: Any = None,
    path: str | None = None,
    target_path: str | None = None,
    target_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    append: bool = False,
    report: bool = False,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job[Any]:
    """Prepare to store an array, or all arrays of a hierarchy, with other chunks within a memory bound for each task.

    This call creates the target and its attributes; the job that it returns copies the data: directly where that is
    cheap, otherwise through packed intermediate objects that are written once and read once. ``job.plan`` shows the
    method and its cost before anything runs.

    If the job does not end, the same call continues it: what is stored is not written again. Until it is done, the
    target has the attribute ``zarrds_unfinished_job``. `cleanup` removes what a job left that is not to be continued.

    Parameters
    ----------
    source : Array, Group, str, Store, MutableMapping, dask.array.Array, xarray.Dataset, DataArray or DataTree
        Array or group, or where it is stored. The blocks of a dask array are computed once: written to the target
        where they are whole chunks of it, else stored and rechunked; its name says whether it is the same one when a
        job is continued. For xarray see
        `xarray_backend.rechunk`.
    target_store : str, Store or MutableMapping
        Where to store the result.
    chunks : int, tuple of int or dict
        Chunk shape of the result; -1 or None for a whole dimension, "auto" to fit dask's ``array.chunk-size``.
        A dict gives the dimensions that change, by their names (of Zarr v3, or those that xarray writes) or by the
        numbers of axes. For a group, a dict whose keys are paths of arrays, with such chunks, or names of dimensions,
        with a length for all arrays that have it; arrays that are not named keep their chunks. With `append` by
        default those of the target, or of the source if there is no target yet.
    max_mem : int or str, optional
        Bytes ("256MB") of memory that a task may use, beyond those of an idle worker. By default half the memory that
        a worker of the cluster has for each thread, less 100 MB; without a cluster four times ``array.chunk-size``.
    temp_store : str, Store or MutableMapping, optional
        Where intermediate objects are stored; by default below the target. They are deleted when the job is done, and
        stay if it failed.
    path : str, optional
        Path of the source in its store.
    target_path : str, optional
        Path of the result in its store.
    target_options : dict, optional
        Options of the result that differ from those of the source: ``dtype``, ``zarr_format``, ``shards``,
        ``compressor`` or ``compressors``, ``filters``, ``serializer``, ``codecs``, ``order``, ``fill_value``,
        ``dimension_separator``, ``chunk_key_encoding``, ``dimension_names``, ``object_codec``,
        ``write_empty_chunks``. For a group they count for all arrays, or are given in dicts by the paths of arrays.
    overwrite : bool, default False
        Whether an existing node at the target may be deleted. An unfinished job is then not continued.
    append : bool, default False
        Bring an existing target up to date with a source that has grown along one dimension: read what is new,
        complete the last chunks, then change the shape. A target that does not exist is made. An irregular target gets
        chunks of its longest length, or those in `chunks`, which begin with the lengths that it has.
    report : bool, default False
        Let `compute` return a `CopyReport` in place of the target: chunks (or shards) of the target that were stored,
        without empty ones that are not, the bytes of all elements that were written, and chunks that an earlier run had
        stored. For sources that are stored.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file systems behind URLs, which share them; paths of this machine beside a URL need none.

    Returns
    -------
    Job
        Its `compute` returns the target, an `Array` or a `Group`; with `report`, what was done. It has the attributes
        `plan` (a `RechunkPlan`; for a group a `GroupPlan`, which maps paths of arrays to such) and `target`.

    Raises
    ------
    MemoryLimitError
        `max_mem` is too small for any plan; the message names a number that suffices.
    SelfOverwriteError
        Target and source overlap.
    UnfinishedJobError
        The target has an unfinished job, and this is another one, or its source has changed.
    SourceChangedError
        With `append`: the source has changed in another way than by growing.
    ContainsArrayError, ContainsGroupError
        Something is at the target.
    ValueError
        `chunks` names a dimension that does not exist, or does not have one length for each dimension.
    StoreNotShareableError
        The workers of the current scheduler cannot reach a store.

    All of these are raised before anything is written.

    Examples
    --------
    >>> import numpy as np, zarrds, zarrds.dask
    >>> z = zarrds.array(np.arange(10000).reshape(100, 100), chunks=(1, 100))
    >>> job = zarrds.dask.rechunk(z, {}, chunks=(100, 1), max_mem="1MB")
    >>> job.plan.projected_mem <= 1_000_000
    True
    >>> job.compute()[:3, 0]
    array([  0, 100, 200])
    """
    if append and overwrite:
        raise ArgumentError("append=True keeps what is there, overwrite=True does not: give one of both")
    if report and (is_dask_array(source) or type(source).__module__.partition(".")[0] == "xarray"):
        raise ArgumentTypeError("report=True is for sources that are stored")
    if type(source).__module__.partition(".")[0] == "xarray":
        of_xarray: Job[Any] = _of_xarray(source)(
            target_store,
            chunks=chunks,
            max_mem=max_mem,
            temp_store=temp_store,
            group=target_path,
            target_options=target_options,
            overwrite=overwrite,
            append=append,
            storage_options=storage_options,
        )
        return of_xarray
    if is_dask_array(source):
        if append or path:
            raise ArgumentTypeError("append and path are for sources that are stored")
        options = {"overwrite": overwrite, "retries": retries, "storage_options": storage_options}
        places = (target_store, target_path, temp_store)
        return _lazy_job(source, places, chunks, max_mem, dict(target_options or {}), options)
    ours, theirs, of_temp = options_by_place(storage_options, source, target_store, temp_store)
    node = opened_node(source, path, ours)
    store = as_store(target_store, mode="w", storage_options=theirs)
    temp = None if temp_store is None else as_store(temp_store, mode="w", storage_options=of_temp)
    arrays = {"": node} if isinstance(node, Array) else arrays_below(node)
    where, memory = normalize_path(target_path), memory_of_task(max_mem)
    request = Request(node, arrays, store, where, temp, memory, max_mem is None, reports=report)
    return rechunk_job(request, chunks, target_options, overwrite=overwrite, append=append, retries=retries)


def rechunk_job(
    request: Request,
    chunks: Any,
    options: Mapping[str, Any] | None,
    *,
    overwrite: bool = False,
    append: bool = False,
    retries: int = 3,
) -> Job[Array | Group]:
    """Return the job for a request whose source is stored; see `rechunk`."""
    store, where = request.store, request.where
    for array in request.arrays.values():
        refuse_overlap(places_of(array), [store.place(where)], path=where)
    if append and _node.has_node(store, where) and not is_being_created(store, where):
        return _growing_job(request, chunks, options, retries)
    if chunks is None and not append:
        raise ArgumentTypeError("chunks are needed; they may be left out only where a target grows (append=True)")
    earlier = None if overwrite else continued(store, where, request.temp)
    # no chunks are named, so those of the source stay
    return _creating_job(request, {} if chunks is None else chunks, options, earlier, overwrite, retries)


def _of_xarray(source: Any) -> Any:
    """Return the method that rechunks a dataset or tree."""
    accessor: Any = getattr(source, "zarrds", None)
    if not hasattr(accessor, "rechunk"):
        raise ArgumentTypeError(f"to rechunk a {type(source).__name__} of xarray, import xarray_backend first")
    return accessor.rechunk


def _lazy_job(
    x: Any, places: tuple[Any, str | None, Any], chunks: Any, max_mem: Any, options: dict[str, Any], more: Any
) -> Job[Array | Group]:
    """Return the job that computes a dask array, stores its blocks and rechunks them."""
    target_store, target_path, temp_store = places
    theirs, of_temp = options_by_place(more["storage_options"], target_store, temp_store)
    store = as_store(target_store, mode="w", storage_options=theirs)
    if chunks is None:
        raise ArgumentTypeError("chunks are needed; they may be left out only where a target grows (append=True)")
    unknown = sorted(set(options) - TARGET_OPTIONS)
    if unknown:
        raise ArgumentTypeError(f"unknown target_options {unknown}; there are {sorted(TARGET_OPTIONS)}")
    direct = direct_job(x, store, target_path, chunks, options, overwrite=more["overwrite"], retries=more["retries"])
    if direct is not None:
        return direct
    temp = None if temp_store is None else as_store(temp_store, mode="w", storage_options=of_temp)
    where = normalize_path(target_path)
    earlier = None if more["overwrite"] else continued(store, where, temp)
    number = uuid.uuid4().hex if earlier is None else earlier.job
    place = place_of_objects(where, "", number, is_elsewhere=temp is not None)
    x, blocks = stored_blocks(x, store if temp is None else temp, join_path(place, "blocks"), where)
    request = Request(
        blocks, {"": blocks}, store, where, temp, memory_of_task(max_mem), max_mem is None, fingerprint(x.name)
    )
    given = {"compressor": "default", **options} if "codecs" not in options else options
    lengths = chunk_lengths_of(x, chunks, options)
    first = storing_job(x, blocks, more["retries"], continues=earlier is not None)
    return _creating_job(
        request, lengths, given, earlier, more["overwrite"], more["retries"], number=number, first=first
    )


def _creating_job(
    request: Request,
    chunks: Any,
    options: Mapping[str, Any] | None,
    earlier: JobRecord | None,
    overwrite: bool,
    retries: int,
    *,
    number: str | None = None,
    first: Job[Any] | None = None,
) -> Job[Array | Group]:
    """Return the job that fills a new target, or one that an earlier run did not complete."""
    metas = request.metas(chunks, options)
    number = number or (uuid.uuid4().hex if earlier is None else earlier.job)
    request = _as_it_began(request, earlier)
    works = request.works(metas, number)
    record = request.record(works, number, False)
    if earlier is None:
        create(request, works, record, overwrite)
        return _job(request, works, record, retries, first=first)
    earlier.expect_same(record, request.where)
    remaining = [remaining_blocks(work) for work in works.values()]
    return _job(request, works, record, retries, remaining=remaining, first=first)


def _as_it_began(request: Request, earlier: JobRecord | None) -> Request:
    """Return the request with the memory that an earlier run had, unless the user gave another."""
    if earlier is None or not request.is_default or earlier.max_mem is None:
        return request
    return replace(request, max_mem=earlier.max_mem)


def _growing_job(request: Request, chunks: Any, options: Mapping[str, Any] | None, retries: int) -> Job[Array | Group]:
    """Return the job that adds to a target what is new in its source."""
    earlier = continued(request.store, request.where, request.temp)
    number = uuid.uuid4().hex if earlier is None else earlier.job
    request = _as_it_began(request, earlier)
    growths = request.growths(chunks, options)
    works = request.grown_works(growths, options, number)
    record = request.record(works, number, True)
    before = {join_path(request.where, name): growths[name].before for name in works}
    if earlier is None:
        prepare_growth(request, works, growths, record)
        return _job(request, works, record, retries, before=before)
    # arrays that have their new shape already are done; only their flags are left
    arrays = {name: array for name, array in earlier.arrays.items() if name in works or name not in growths}
    replace(earlier, arrays=arrays).expect_same(record, request.where)
    remaining = [remaining_blocks(work) for work in works.values()]
    return _job(request, works, earlier, retries, remaining=remaining, before=before)


def _job(
    request: Request,
    works: Mapping[str, RechunkWork],
    record: JobRecord,
    retries: int,
    *,
    remaining: list[list[Remaining]] | None = None,
    before: Mapping[str, ArrayMeta] | None = None,
    first: Job[Any] | None = None,
) -> Job[Array | Group]:
    """Return the job that does all blocks, or those that are `remaining`; `first` is done first, if blocks are left."""
    is_needed = remaining is None or any(len(left.blocks) for stages in remaining for left in stages)
    jobs = [
        _job_of(work, retries, remaining[i] if remaining else None, first if is_needed else None)
        for i, work in enumerate(works.values())
    ]
    finish = Finish(
        tuple(works.values()),
        request.store.spec(),
        request.where,
        isinstance(request.node, Group),
        _consolidates(request, works),
        tuple(join_path(request.where, name) for name in record.arrays) if request.keeps_record else None,
        before,
        sum(stages[-1].stored for stages in remaining or ()) if request.reports else None,
    )
    plans = {name: work.plan for name, work in works.items()}
    plan = GroupPlan(plans) if finish.is_group else plans.get("")
    finished: Any = partial(finish_rechunk, finish)
    if first is not None:
        blocks = request.arrays[""]
        finished = deleting(finished, blocks.store.spec(), blocks.path)
    return Job.together(jobs, finished, target=_target(request, works), plan=plan, resumable=True)


def _target(request: Request, works: Mapping[str, RechunkWork]) -> Array | Group:
    """Return the target; an array that grows has its old shape until the job is done."""
    if isinstance(request.node, Group):
        return Group(request.store, request.where)
    work = works.get("")
    if work is None or work.origin:
        return Array(request.store, request.where)
    return Array.from_source(work.target, read_only=False)


def _consolidates(request: Request, works: Mapping[str, RechunkWork]) -> int | None:
    """Return the format in which the target is to be consolidated, if the source is."""
    node = request.node
    if not isinstance(node, Group) or not is_consolidated(node):
        return None
    return next((work.target.meta.zarr_format for work in works.values()), node.zarr_format)


def _job_of(
    work: RechunkWork, retries: int, remaining: list[Remaining] | None, first: Job[Any] | None
) -> Job[CopyReport]:
    graph = GraphBuilder(work, retries=retries, before=first)
    stages = work.plan.stages
    kinds = ["zarrds-scatter"] * (len(stages) - 1) + ["zarrds-gather" if len(stages) > 1 else "zarrds-rechunk"]
    done: Any = None
    for number, (kind, stage) in enumerate(zip(kinds, stages, strict=True)):
        blocks = None if remaining is None else remaining[number]
        done = graph.stage(kind, rechunk_blocks, _batches(number, stage.tasks, blocks), after=done)
    stores = [work.source.store, work.target.store, *([] if work.temp is None else [work.temp])]
    return graph.job(done, _receipt, stores=stores)


def _receipt(found: CopyReport) -> CopyReport:
    return found


def _batches(number: int, count: int, remaining: Remaining | None) -> list[tuple[int, ...]]:
    """Return ranges of blocks, one for each task: all blocks, or those that remain."""
    if remaining is None:
        step = max(1, -(-count // MAX_TASKS))
        return [(number, i, min(i + step, count)) for i in range(0, max(count, 1), step)]
    blocks, begun = remaining.blocks, remaining.begun
    step = max(1, -(-len(blocks) // MAX_TASKS))
    if step == 1:
        return [(number, i, i + 1, *([1] if i in begun else [])) for i in blocks.tolist()] or [(number, 0, 0)]
    groups = np.split(blocks, range(step, len(blocks), step))
    return [(number, int(some[0]), int(some[-1]) + 1, *([1] if begun else [])) for some in groups]
