"""Store an array again with other chunks, within a memory bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import dask
import numpy as np
from dask.base import get_scheduler
from dask.utils import parse_bytes

from zarrds import _node
from zarrds._engine import ChunkSource, places_of
from zarrds._format import ArrayMeta
from zarrds._metadata import array_meta, options_like
from zarrds._store import Store, as_store, join_path, normalize_path, refuse_overlap
from zarrds._types import Chunks
from zarrds.attrs import Attributes
from zarrds.core import Array
from zarrds.dask.dimensions import chunks_of_axes, dimension_names
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable, unique_name
from zarrds.dask.places import opened_node
from zarrds.dask.rechunking.plan import LOCAL, REMOTE, RechunkPlan, Stage, rechunk_plan
from zarrds.dask.rechunking.stages import RechunkWork
from zarrds.dask.tasks import finish_group, finish_rechunk, rechunk_blocks
from zarrds.hierarchy import Group, open_group

__all__ = ["rechunk"]

MAX_TASKS = 10_000
"""Largest number of tasks in a stage; with more blocks, each task does several."""

TEMP_NAME = ".zarrds-tmp-"
_OPTIONS = frozenset(
    [
        *("compressor", "filters", "order", "fill_value", "dimension_separator", "write_empty_chunks"),
        *("compressors", "codecs", "serializer", "shards", "chunk_key_encoding", "dimension_names"),
    ]
)


def rechunk(
    source: Any,
    target_store: Any,
    *,
    chunks: Any,
    max_mem: int | str | None = None,
    temp_store: Any = None,
    path: str | None = None,
    target_path: str | None = None,
    target_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job:
    """Prepare to store an array, or the arrays of a group, with other chunks within a memory bound for each task.

    This call creates the target and its attributes; the job that it returns copies the data: directly where that is
    cheap, otherwise through packed intermediate objects that are written once and read once. ``job.plan`` shows the
    method and its cost before anything runs.

    Parameters
    ----------
    source : Array, Group, str, Store or MutableMapping
        Array or group, or where it is stored.
    target_store : str, Store or MutableMapping
        Where to store the result.
    chunks : int, tuple of int or dict
        Chunk shape of the result; -1 or None for a whole dimension, "auto" to fit dask's ``array.chunk-size``.
        A dict gives the dimensions that change, by their names (of Zarr v3, or those that xarray writes) or by the
        numbers of axes. For a group, a dict of such chunks by the paths of its arrays; others keep their chunks.
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
        ``compressor``, ``filters``, ``order``, ``fill_value``, ``dimension_separator``, ``write_empty_chunks`` of the
        result, if they differ from those of the source.
    overwrite : bool, default False
        Whether an existing node at the target may be deleted.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file systems behind URLs.

    Returns
    -------
    Job
        Its `compute` returns the target, an `Array` or a `Group`. It has the attributes `plan` (a `RechunkPlan`; for a
        group a dict of them by the paths of arrays) and `target`.

    Raises
    ------
    MemoryLimitError
        `max_mem` is too small for any plan; the message names a number that suffices.
    SelfOverwriteError
        Target and source overlap.
    ContainsArrayError, ContainsGroupError
        Something is at the target.
    ValueError
        `chunks` names a dimension that does not exist, or does not have one length for each dimension.
    StoreNotShareableError
        The workers of the current scheduler cannot reach a store.

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
    node = opened_node(source, path, storage_options)
    store = as_store(target_store, mode="w", storage_options=storage_options)
    where = normalize_path(target_path)
    prepare = partial(
        _prepared, store=store, max_mem=max_mem, options=target_options, temp=(temp_store, storage_options)
    )
    if isinstance(node, Array):
        refuse_overlap(places_of(node), [store.place(where)], path=where)
        work = prepare(node, where, chunks)
        _create_target(node, store, where, work.target.meta, overwrite)
        return _job(work, retries)
    arrays, wanted = _arrays_of(node, chunks)
    for array in arrays.values():
        refuse_overlap(places_of(array), [store.place(where)], path=where)
    works = {name: prepare(array, join_path(where, name), wanted[name]) for name, array in arrays.items()}
    target = _create_groups(node, store, where, overwrite)
    for name, array in arrays.items():
        _create_target(array, store, works[name].target.path, works[name].target.meta, False)
    jobs = [_job(work, retries) for work in works.values()]
    finish = partial(finish_group, tuple(works.values()), store.spec(), where)
    return Job.together(jobs, finish, target=target, plan={name: work.plan for name, work in works.items()})


def _prepared(
    array: Array, where: str, chunks: Any, *, store: Store, max_mem: Any, options: Any, temp: tuple[Any, Any]
) -> RechunkWork:
    """Return the work of the tasks for one array; nothing is written."""
    options = dict(options or {})
    keep_empty = bool(options.pop("write_empty_chunks", True))
    chunk_source = array.source()
    meta = _target_meta(array, chunk_source.meta, chunks, options)
    plan = _plan(chunk_source.meta, meta, _memory(max_mem), array.chunk_store, store)
    temp_store, temp_path = _temp_place(temp[0], store, where, temp[1]) if len(plan.stages) > 1 else (None, "")
    require_shareable(array.chunk_store, store, *([] if temp_store is None else [temp_store]))
    target = ChunkSource(store.spec(), where, meta)
    return RechunkWork(
        chunk_source, target, None if temp_store is None else temp_store.spec(), temp_path, plan, keep_empty
    )


def _arrays_of(group: Group, chunks: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays of a group by their paths in it, and the new chunks of each."""
    nodes = _below(group)
    arrays = {name: node for name, node in nodes.items() if isinstance(node, Array)}
    if not isinstance(chunks, Mapping):
        raise TypeError(f"chunks of a group are a dict by the paths of its arrays, found {chunks!r}")
    wanted = {normalize_path(str(name)): given for name, given in chunks.items()}
    unknown = sorted(set(wanted) - set(arrays))
    if unknown:
        raise ValueError(f"there is no array {unknown[0]!r} in the group; there are {', '.join(map(repr, arrays))}")
    return arrays, {name: wanted.get(name, array.chunks) for name, array in arrays.items()}


def _below(group: Group) -> dict[str, Any]:
    """Return the nodes below a group by their paths in it, parents first."""
    found: dict[str, Any] = {}

    def note(name: str, node: Any) -> None:
        found[name] = node

    group.visititems(note)
    return found


def _create_groups(group: Group, store: Store, where: str, overwrite: bool) -> Group:
    """Create a copy of a group and the groups below it, with their attributes but without arrays."""
    target = open_group(store, mode="w" if overwrite else "w-", path=where, zarr_format=group.zarr_format)
    groups = {"": group, **{name: node for name, node in _below(group).items() if isinstance(node, Group)}}
    for name, node in groups.items():
        created = target.create_group(name) if name else target
        attributes = node.attrs.asdict()
        if attributes:
            created.attrs.put(attributes)
    return target


def _target_meta(array: Array, meta: ArrayMeta, chunks: Any, options: dict[str, Any]) -> ArrayMeta:
    """Return the metadata of the result: those of the source with other chunks and the caller's options."""
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise TypeError(f"unknown target_options {unknown}; there are {sorted(_OPTIONS)}")
    chunks = _chunks(array, meta, chunks)
    given = {
        "dtype": meta.dtype,
        "fill_value": array.fill_value,
        **_separator(meta),
        **options_like(meta, {"chunks", *options}, meta.zarr_format),
        **options,
    }
    made = array_meta(shape=meta.shape, chunks=chunks, **given)
    fill = made.chunk.fill if "fill_value" in options else meta.chunk.fill
    return replace(made, chunk=replace(made.chunk, fill=fill), extra=meta.extra)


def _chunks(array: Array, meta: ArrayMeta, chunks: Any) -> Chunks:
    """Return the chunks of the result, one length for each dimension."""
    names = dimension_names(array) if isinstance(chunks, Mapping) else (None,) * meta.ndim
    chunks = chunks_of_axes(chunks, names, meta.chunks)
    each = chunks if isinstance(chunks, (tuple, list)) else (chunks,) * meta.ndim
    if any(isinstance(length, str) for length in each):
        from dask.array.core import normalize_chunks  # imported here, as workers do not need it

        each = normalize_chunks(tuple(each), shape=meta.shape, dtype=meta.dtype, previous_chunks=meta.chunks)
        return tuple(max(lengths) for lengths in each)
    for length in each:
        if length is not None and (length is True or length is False or not isinstance(length, (int, np.integer))):
            raise ValueError(f"chunks of a rechunked array are one length for each dimension, found {chunks!r}")
    return tuple(
        max(1, size) if length in (None, -1) else int(length) for length, size in zip(each, meta.shape, strict=True)
    )


def _separator(meta: ArrayMeta) -> dict[str, Any]:
    """Return the separator of chunk keys, if it is not part of a key encoding."""
    return {"dimension_separator": meta.keys.separator} if meta.keys.style == "v2" and meta.keys.written else {}


def _plan(source: ArrayMeta, target: ArrayMeta, max_mem: int, *stores: Store) -> RechunkPlan:
    remote = any(store.profile.kind == "network" for store in stores)
    model = REMOTE if remote else replace(LOCAL, temp_copies=stores[-1].profile.kind == "memory")
    return rechunk_plan(
        source.shape,
        source.write_unit,
        target.write_unit,
        max(1, source.dtype.itemsize),
        max_mem,
        model=model,
        # the bytes of objects cannot be packed
        shuffles=0 if source.dtype.hasobject else None,
    )


def _memory(max_mem: int | str | None) -> int:
    """Return the bytes of memory that a task may use."""
    if max_mem is not None:
        return int(parse_bytes(max_mem))
    client = getattr(get_scheduler() or None, "__self__", None)
    workers = [] if client is None else list(client.scheduler_info(n_workers=-1)["workers"].values())
    shares = [w["memory_limit"] / max(1, w["nthreads"]) for w in workers if w.get("memory_limit")]
    if not shares:
        return 4 * int(parse_bytes(dask.config.get("array.chunk-size")))
    return max(int(min(shares) / 4), int(min(shares) / 2) - 100_000_000)


def _temp_place(temp_store: Any, store: Store, where: str, storage_options: Any) -> tuple[Store, str]:
    """Return the store of the intermediate objects, and a path in it that nothing else uses."""
    name = unique_name(TEMP_NAME.rstrip("-"))
    if temp_store is None:
        return store, join_path(where, name)
    return as_store(temp_store, mode="w", storage_options=storage_options), name


def _create_target(array: Array, store: Store, where: str, meta: ArrayMeta, overwrite: bool) -> None:
    """Create the target with the source's attributes; delete intermediate objects that a failed job left there."""
    if overwrite:
        for name in store.listdir(where):
            if name.startswith(TEMP_NAME):
                store.rmdir(join_path(where, name))
    _node.create_array(store, where, meta, overwrite=overwrite)
    attributes = array.attrs.asdict()
    if attributes:
        Attributes(store, _node.attributes_key(where, meta)).put(attributes)


def _job(work: RechunkWork, retries: int) -> Job:
    graph = GraphBuilder(work, retries=retries)
    stages = work.plan.stages
    kinds = ["zarrds-scatter"] * (len(stages) - 1) + ["zarrds-gather" if len(stages) > 1 else "zarrds-rechunk"]
    done: Any = None
    for number, (kind, stage) in enumerate(zip(kinds, stages, strict=True)):
        done = graph.stage(kind, rechunk_blocks, _batches(number, stage), after=done)
    stores = [work.source.store, work.target.store, *([] if work.temp is None else [work.temp])]
    target = Array.from_source(work.target, read_only=False)
    return graph.job(done, partial(finish_rechunk, work), stores=stores, target=target, plan=work.plan)


def _batches(number: int, stage: Stage) -> list[tuple[int, int, int]]:
    step = max(1, -(-stage.tasks // MAX_TASKS))
    return [(number, i, min(i + step, stage.tasks)) for i in range(0, max(stage.tasks, 1), step)]
