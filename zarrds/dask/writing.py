"""Store dask arrays.

Importing `dask.array` costs a worker 60 MB and a second, since it imports pandas, scipy and xarray. The modules that
tasks come from must therefore not import it, nor this module.

Writing is one symbolic blockwise layer, which dask fuses with its neighbours. A writing task covers whole chunks; this
is checked when the graph is built. So no task needs a lock, and each task can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Unpack, overload

import dask
import dask.array as da
import numpy as np
from dask.base import is_dask_collection

from zarrds import _node
from zarrds._base.edges import Grid
from zarrds._base.types import Shape
from zarrds._engine import ChunkSource, places_of
from zarrds._format import ArrayMeta, check_version
from zarrds._metadata import OPTIONS_OF_ARRAYS, array_meta, new_format
from zarrds._store import Store, StoreLike, as_store, normalize_path, refuse_overlap
from zarrds.core import Array
from zarrds.creation import open_array
from zarrds.dask.blocks import BlockGrid, check_alignment, fitting_blocks
from zarrds.dask.continuing import create_with_receipt, job_of_blocks, notes_of_write, unfinished_blocks
from zarrds.dask.dimensions import chunks_of_axes
from zarrds.dask.hazards import PlannedWrite, refuse_read_after_write
from zarrds.dask.jobs import Job, require_shareable, unique_name
from zarrds.dask.keywords import ToZarrKeywords
from zarrds.dask.reading import array_expr_enabled
from zarrds.dask.receipts import JobNotes
from zarrds.dask.tasks import leave_receipt, open_filled, open_target, write_block
from zarrds.errors import ArgumentError, ArgumentTypeError, BlockAlignmentError, ReadOnlyError

__all__ = [
    "continuing_job",
    "creating_job",
    "existing_target",
    "planned_array",
    "require_known_chunks",
    "to_zarr",
    "written",
]


@overload
def to_zarr(
    x: da.Array,
    store: Array | StoreLike,
    path: str | None = None,
    *,
    compute: Literal[True] = True,
    **options: Unpack[ToZarrKeywords],
) -> Array: ...


@overload
def to_zarr(
    x: da.Array,
    store: Array | StoreLike,
    path: str | None = None,
    *,
    compute: Literal[False],
    **options: Unpack[ToZarrKeywords],
) -> Job[Array]: ...


@overload
def to_zarr(
    x: da.Array,
    store: Array | StoreLike,
    path: str | None = None,
    *,
    compute: bool,
    **options: Unpack[ToZarrKeywords],
) -> Array | Job[Array]: ...


def to_zarr(
    x: da.Array,
    store: Array | StoreLike,
    path: str | None = None,
    *,
    chunks: Any = None,
    overwrite: bool = False,
    align: Literal["error", "rechunk"] = "error",
    region: Any = None,
    compute: bool = True,
    progress: bool = False,
    write_empty_chunks: bool = True,
    resume: bool = True,
    retries: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Array | Job[Array]:
    """Store a dask array, one task for each block.

    If a new array was not filled to the end, the same call continues: blocks whose chunks are all stored are not
    computed again. While the job is at work, a small receipt below ``.zarrds-job`` in the target says so.

    Parameters
    ----------
    x : dask.array.Array
        What to store.
    store : Array, str, Store or MutableMapping
        Where to store it: an array of the same shape, or a store in which one is created. With `region`, an existing
        array.
    path : str, optional
        Path of the array in the store.
    chunks : int, tuple of int or dict, optional
        Chunks of the new array; by default the blocks of `x`.
    overwrite : bool, default False
        Whether an existing node at the path may be deleted.
    align : {"error", "rechunk"}
        What to do when blocks share chunks: refuse, or rechunk `x` to multiples of the chunks.
    region : slice or tuple of slice, optional
        Part of an existing array, of the shape of `x`. Blocks may not meet inside a chunk. A chunk that the region
        covers in part is read and written again by one task, so no other job may write to that chunk meanwhile.
    compute : bool, default True
        If False, create the array but return a `Job` that stores the data when computed. Its first task leaves the
        receipt, so a job that is stopped before it has written anything leaves an empty array: the same call is then
        refused, and `overwrite` begins again.
    progress : bool, default False
        Whether to show progress on standard error.
    write_empty_chunks : bool, default True
        If False, chunks that are all fill value are not stored; blocks with such chunks are always computed again.
    resume : bool, default True
        Whether to continue an earlier run that was stopped, if it created the array from the same dask array (its name,
        a token of what it computes, is compared) with the same options. If False, no receipt is kept, and an array that
        is there is an error, or replaced with `overwrite`.
    retries : int, default 0
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind a URL.
    **options
        ``compressor``, ``fill_value``, ``order``, ``filters``, ``object_codec``, ``dimension_separator`` of the new
        array, as in `zarrds.create`.

    Returns
    -------
    Array or Job
        The stored array, or the job whose `compute` returns it.

    Raises
    ------
    BlockAlignmentError
        Two blocks would write one chunk. Nothing has been written.
    BlockShapeError
        A block has another shape than `x` declares (also a ValueError). Nothing of that block has been written.
    ContainsArrayError, ContainsGroupError
        Something is at the path. Nothing has been written.
    CopyError
        Another job writes there, or was stopped, and `overwrite` is False. Nothing has been written.
    ArrayNotFoundError
        A region was given, and there is no array.
    SelfOverwriteError
        `x` reads what it would overwrite. Nothing has been written.
    StoreNotShareableError
        The workers of the current scheduler cannot reach the store. Nothing has been written.

    Examples
    --------
    >>> import dask.array as da, zarrds.dask
    >>> zarrds.dask.to_zarr(da.ones((10, 10), chunks=5), {})
    <zarrds.core.Array (10, 10) float64>
    """
    require_known_chunks(x)
    if region is not None and not isinstance(store, Array):
        storage_options = None if storage_options is None else dict(storage_options)
        store = open_array(store, mode="r+", path=path, storage_options=storage_options)
        path = None
    if isinstance(store, Array):
        if path or chunks is not None or overwrite or options:
            raise ArgumentTypeError("path, chunks and options of creation are not given where an array is there")
        x, target, origin = existing_target(x, store, region, align)
        total = written(x, target, origin, write_empty_chunks)
        job = Job.of_array(total, partial(open_target, target), stores=(target.store,), retries=retries)
    else:
        _check_options(options)
        planned = planned_array(x, store, path, chunks, options, align, storage_options)
        job = creating_job(
            *planned,
            overwrite=overwrite,
            write_empty_chunks=write_empty_chunks,
            retries=retries,
            resume=resume,
            is_begun=compute,
        )
    return job.compute(progress=progress) if compute else job


def require_known_chunks(x: da.Array) -> None:
    """Raise an error for what is no dask array, and for blocks whose lengths are not known."""
    if not is_dask_collection(x) or not hasattr(x, "map_blocks"):
        raise ArgumentTypeError(
            f"x must be a dask array, found {type(x).__name__}; zarrds.array stores values in memory"
        )
    if any(np.isnan(length) for lengths in x.chunks for length in lengths):
        raise ArgumentError("the array has blocks of unknown length; call its compute_chunk_sizes() first")


def _check_options(options: Mapping[str, Any]) -> None:
    unknown = sorted(set(options) - OPTIONS_OF_ARRAYS - {"zarr_format", "zarr_version"})
    if unknown:
        raise ArgumentTypeError(f"to_zarr() got an unexpected keyword argument {unknown[0]!r}")


def existing_target(
    x: da.Array, array: Array, region: Any, align: str
) -> tuple[da.Array, ChunkSource, tuple[int, ...]]:
    """Return what to write to an existing array, with blocks that fit, and where; raise an error if that cannot be."""
    origin, shape = _origin_and_shape(region, array.shape)
    if x.shape != shape:
        where = f"one of shape {shape}" if region is None else f"the region {region!r} of shape {shape}"
        raise ArgumentError(f"cannot store an array of shape {x.shape} in {where}")
    if array.read_only:
        raise ReadOnlyError.of_node(array.store, array.path)
    require_shareable(array.chunk_store)
    target = array.source()
    x = _aligned(x, target.meta.write_unit, array.path, align, origin)
    refuse_read_after_write([PlannedWrite(target.path, target.place(), origin, x.shape, x)])
    return x, target, origin


def _origin_and_shape(region: Any, shape: Shape) -> tuple[tuple[int, ...], Shape]:
    """Return where a region begins, and its shape."""
    parts = () if region is None else region if isinstance(region, tuple) else (region,)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts = (*parts[:at], *[slice(None)] * (len(shape) - len(parts) + 1), *parts[at + 1 :])
    if len(parts) > len(shape) or not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        raise ArgumentError(f"region must be slices of step 1, one for each dimension of {shape}, found {region!r}")
    parts = (*parts, *[slice(None)] * (len(shape) - len(parts)))
    bounds = [part.indices(size)[:2] for part, size in zip(parts, shape, strict=True)]
    return tuple(start for start, _ in bounds), tuple(max(0, stop - start) for start, stop in bounds)


def planned_array(
    x: da.Array,
    store: Any,
    path: str | None,
    chunks: Any,
    options: dict[str, Any],
    align: str,
    storage_options: Mapping[str, Any] | None,
) -> tuple[da.Array, Store, str, ArrayMeta]:
    """Return the array in blocks that fit, the store and the path of the target, and its metadata."""
    real_store = as_store(store, mode="w", storage_options=storage_options)
    where = normalize_path(path)
    options.setdefault("fill_value", 0)
    asked = check_version(options.pop("zarr_version", None), options.get("zarr_format"))
    options["zarr_format"] = new_format(asked, real_store)
    options["store_separator"] = real_store.dimension_separator
    own = tuple(max(lengths) for lengths in x.chunks)
    if options["zarr_format"] == 3 and options.get("shards") is None and align != "rechunk":
        own = tuple(map(_chunks_of_blocks, x.chunks))
    names = options.get("dimension_names") or (None,) * x.ndim
    chunks = own if chunks is None else chunks_of_axes(chunks, names, own)
    meta = array_meta(shape=x.shape, chunks=chunks, dtype=x.dtype, **options)
    require_shareable(real_store)
    try:
        return _aligned(x, meta.write_unit, where, align), real_store, where, meta
    except BlockAlignmentError as error:
        if meta.zarr_format == 2:
            error.hint = f"{error.hint}; Zarr v3 keeps such blocks (zarr_format=3)"
        raise


def _chunks_of_blocks(lengths: tuple[int, ...]) -> Any:
    """Return the chunks that blocks along a dimension become: one length, or all lengths where they differ."""
    given = tuple(length for length in lengths if length)
    if len(set(given[:-1])) <= 1 and given[-1:] <= given[:1]:
        return max(lengths)
    return given


def creating_job(
    x: da.Array,
    store: Store,
    path: str,
    meta: ArrayMeta,
    *,
    overwrite: bool,
    write_empty_chunks: bool,
    retries: int,
    resume: bool = True,
    is_begun: bool = True,
) -> Job[Array]:
    """Return the job that fills a new array, or one that an earlier run of the same job has not completed.

    With `is_begun` the receipt of the job is stored before the array is created, else by the first task.
    """
    if overwrite:
        refuse_overlap(places_of(x), [store.place(path)], path=path, whole=False)
    is_begun = is_begun or array_expr_enabled()  # there tasks cannot wait for one that belongs to no array
    notes, continues = None, False
    if resume:
        notes, found = notes_of_write(store, path, x.name, x.chunks, meta, write_empty_chunks, is_alone=not overwrite)
        continues = found and _node.contains_array(store, path)
    if not continues:
        create_with_receipt(store, path, meta, notes if is_begun else None, overwrite)
    target = ChunkSource(store.spec(), path, meta if store.keeps_documents else _node.load_array(store, path))
    known = {} if notes is None else {"resumable": True}
    finish = partial(open_filled, target, notes)
    if continues:
        return continuing_job(x, target, write_empty_chunks, finish, retries=retries, **known)
    first = None if is_begun or notes is None else _begun(notes)
    total = written(x, target, (), write_empty_chunks, first)
    return Job.of_array(total, finish, stores=(target.store,), retries=retries, **known)


def _begun(notes: JobNotes) -> Any:
    """Return a Delayed that leaves the receipt of a job.

    It is one task, which is not fused with those that need it: they would each leave the receipt again.
    """
    return dask.delayed(leave_receipt, pure=False)(notes, dask_key_name=unique_name("zarrds-begin"))


def continuing_job(
    x: da.Array, target: ChunkSource, write_empty_chunks: bool, finish: Callable[[Any], Array], **known: Any
) -> Job[Array]:
    """Return the job that writes those blocks to an array, from its beginning, of which some chunks are not stored."""
    receipts = _receipts(x, target, (), write_empty_chunks)
    return job_of_blocks(receipts, unfinished_blocks(x.chunks, target), finish, stores=(target.store,), **known)


def _aligned(x: da.Array, chunks: Grid, path: str, align: str, origin: tuple[int, ...] = ()) -> da.Array:
    if align not in ("error", "rechunk"):
        raise ArgumentError(f"align must be 'error' or 'rechunk', found {align!r}")
    try:
        check_alignment(x.chunks, chunks, path, origin)
    except ValueError:
        if align == "error":
            raise
        return x.rechunk(fitting_blocks(x.chunks, chunks, origin or (0,) * x.ndim))
    return x


def written(
    x: da.Array, target: ChunkSource, origin: tuple[int, ...], write_empty_chunks: bool, first: Any = None
) -> da.Array:
    """Return the number of chunks written, as a dask array without dimensions; computing it writes them.

    `first` is a Delayed that is computed before anything is written.
    """
    return _receipts(x, target, origin, write_empty_chunks, first).sum(split_every=64)


def _receipts(
    x: da.Array, target: ChunkSource, origin: tuple[int, ...], write_empty_chunks: bool, first: Any = None
) -> da.Array:
    """Return the number of chunks written for each block, as a dask array; computing it writes them."""
    return x.map_blocks(
        write_block,
        target,
        BlockGrid.of(x.chunks, origin),
        write_empty_chunks,
        **({} if first is None else {"begun": first}),
        name=unique_name("zarrds-write"),
        chunks=tuple((1,) * count for count in x.numblocks),
        dtype=np.int64,
        meta=np.empty((0,) * x.ndim, np.int64),
    )
