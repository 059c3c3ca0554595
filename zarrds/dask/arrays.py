"""Make dask arrays of stored arrays, and store dask arrays.

Importing `dask.array` costs a worker 60 MB and a second, since it imports pandas, scipy and xarray. The modules that
tasks come from must therefore not import it, nor this module.

Reading and writing are one symbolic blockwise layer each, which dask fuses with its neighbours. The layer holds the
source once and nothing for each chunk. A writing task covers whole chunks; this is checked when the graph is built. So
no task needs a lock, and each task can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from math import prod
from typing import Any, Literal, Unpack, overload

import dask
import dask.array as da
import numpy as np
from dask.base import is_dask_collection
from dask.blockwise import BlockwiseDep, blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.tokenize import tokenize
from dask.utils import parse_bytes

from zarrds import _node
from zarrds._edges import Edges, Grid, longest_chunk
from zarrds._engine import ChunkSource, places_of
from zarrds._format import ArrayMeta, check_version
from zarrds._metadata import OPTIONS_OF_ARRAYS, array_meta, new_format
from zarrds._store import Store, StoreLike, as_store, normalize_path, refuse_overlap
from zarrds._types import Shape
from zarrds.core import Array
from zarrds.creation import open_array
from zarrds.dask.blocks import BlockGrid, check_alignment, check_lengths, fitting_blocks, merged_chunks
from zarrds.dask.continuing import create_with_receipt, job_of_blocks, notes_of_write, unfinished_blocks
from zarrds.dask.dimensions import chunks_of_axes, dimension_names
from zarrds.dask.hazards import PlannedWrite, refuse_read_after_write
from zarrds.dask.jobs import Job, require_shareable, unique_name
from zarrds.dask.keywords import ToZarrKeywords
from zarrds.dask.places import opened
from zarrds.dask.receipts import JobNotes
from zarrds.dask.tasks import Reading, leave_receipt, open_filled, open_target, read_block, read_block_as, write_block
from zarrds.errors import ArgumentError, ArgumentTypeError, BlockAlignmentError, ReadOnlyError

__all__ = [
    "BlockIds",
    "continuing_job",
    "creating_job",
    "existing_target",
    "from_zarr",
    "planned_array",
    "require_known_chunks",
    "to_zarr",
    "written",
]


class BlockIds(BlockwiseDep):  # type: ignore[misc]
    """Block ids of a layer, one for each task; stores only the number of blocks along each dimension."""

    produces_tasks = False

    def __init__(self, numblocks: tuple[int, ...]) -> None:
        self.numblocks = numblocks

    def __getitem__(self, idx: tuple[int, ...]) -> tuple[int, ...]:
        return idx

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return "zarrds.BlockIds", self.numblocks


def from_zarr(
    source: Array | StoreLike,
    path: str | None = None,
    *,
    chunks: Any = "store",
    name: str | None = None,
    meta: Any = None,
    storage_options: Mapping[str, Any] | None = None,
) -> da.Array:
    """Make a dask array of a stored array; this call reads metadata only, tasks read the chunks.

    Parameters
    ----------
    source : Array, str, Store or MutableMapping
        Array, or where it is stored.
    path : str, optional
        Path of the array in the store; not with an `Array`.
    chunks : "store", "shards", "auto", int, tuple or dict, default "store"
        "store" (or None): one task for each chunk; "shards": one for each shard; "auto": as many whole chunks, or
        shards, as fit in dask's setting ``array.chunk-size`` (of a larger shard, a part). A dict has names of
        dimensions (of Zarr v3, or those that xarray writes) or numbers of axes as keys, and the others keep the stored
        chunks; anything else as dask understands it. Blocks that are not multiples of the stored chunks make tasks
        decode chunks repeatedly.
    name : str, optional
        Name of the array's keys; by default a token of the source (store with its options, path, metadata and chunks)
        and of the state of its data, so that the same array gives the same name in every process, and another
        name once its chunks were overwritten. This works for stores in memory (for changes made by zarrds), local
        files and directories (nested chunks: in at most 1000 directories) and local databases.
        Give a name yourself when chunks are overwritten elsewhere, as on S3, while a cluster holds results.
    meta : array-like, optional
        Array of any length whose type the blocks have, such as one of CuPy; by default the `meta_array` of the array.
        Its `read_missing` counts too.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    dask.array.Array
        With ``len(x.dask)`` tasks, one for each block.

    Raises
    ------
    ArrayNotFoundError
        There is no array.
    ValueError
        `chunks` names a dimension that does not exist, or does not fit the shape.

    Examples
    --------
    >>> import numpy as np, zarrds, zarrds.dask
    >>> z = zarrds.array(np.arange(100).reshape(10, 10), chunks=(5, 5))
    >>> x = zarrds.dask.from_zarr(z)
    >>> len(x.dask), int((x + 1).sum().compute())
    (4, 5050)
    """
    array = opened(source, path, storage_options)
    chunk_source = array.source()
    if isinstance(chunks, Mapping):
        chunks = chunks_of_axes(chunks, dimension_names(array), _lengths_of(chunk_source.meta))
    blocks = _blocks(chunk_source.meta, chunks)
    grid = BlockGrid.of(blocks)
    how = _reading(array, meta)
    task, shared = (read_block, (chunk_source, grid)) if how is None else (read_block_as, (chunk_source, grid, how))
    name = name or f"zarrds-read-{tokenize(*shared)}"
    example = np.empty_like(
        [] if how is None or how.like is None else how.like, chunk_source.meta.dtype, shape=(0,) * len(blocks)
    )
    if _array_expr_enabled():
        return da.map_blocks(task, *shared, name=name, chunks=blocks, dtype=example.dtype, meta=example)
    return _read_layer(task, shared, name, blocks, example)


def _reading(array: Array, meta: Any) -> Reading | None:
    """Return how the blocks of an array are read: as it was opened, or as arrays like `meta`; None: plainly."""
    like = array.meta_array if meta is None else meta
    if type(like) is np.ndarray:
        return None if array.read_missing == "fill" else Reading(array.read_missing)
    return Reading(array.read_missing, np.empty_like(like, shape=(0,)))


def _read_layer(task: Callable[..., Any], shared: tuple[Any, ...], name: str, blocks: Any, meta: Any) -> da.Array:
    """Build the array that `map_blocks` would, with smaller block ids: dask's hold the length of every block."""
    index = tuple(range(len(blocks)))
    ids = BlockIds(tuple(map(len, blocks)))
    values = [part for value in shared for part in (value, None)]
    layer = blockwise(task, name, index, *values, ids, index, numblocks={})
    found = da.Array(HighLevelGraph.from_collections(name, layer), name=name, chunks=blocks, meta=meta)
    (layer.collection_annotations or {}).pop("chunks", None)  # for display only, and one length for each block
    return found


def _array_expr_enabled() -> bool:
    return bool(getattr(da, "_array_expr_enabled", bool)())


def _blocks(meta: ArrayMeta, chunks: Any) -> tuple[tuple[int, ...], ...]:
    """Return the lengths of the blocks along each dimension, in dask's form."""
    if chunks is None or chunks == "store":
        chunks = _lengths_of(meta)
    elif isinstance(chunks, str) and chunks == "shards":
        chunks = _lengths_of(meta, shards=True)
    elif isinstance(chunks, str) and chunks == "auto":
        limit = parse_bytes(dask.config.get("array.chunk-size"))
        chunks = _merged(meta, limit)
    check_lengths(meta.shape, chunks)
    if isinstance(chunks, tuple) and all(type(length) is int and length > 0 for length in chunks):
        return _regular_blocks(meta.shape, chunks)
    found: tuple[tuple[int, ...], ...] = da.core.normalize_chunks(
        chunks, shape=meta.shape, dtype=meta.dtype, previous_chunks=_lengths_of(meta)
    )
    return found


@lru_cache(maxsize=32)
def _regular_blocks(shape: Shape, lengths: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return blocks of the same length along each dimension.

    Arrays of one grid share these tuples: dask sums up a tuple that it does not know, which takes most of the time of
    `from_zarr` where there are very many blocks.
    """
    found: tuple[tuple[int, ...], ...] = da.core.normalize_chunks(lengths, shape=shape)
    return found


def _lengths_of(meta: ArrayMeta, *, shards: bool = False) -> tuple[Any, ...]:
    """Return the lengths of chunks, or of shards, as dask takes them: one, or those of all blocks, per dimension."""
    grid = meta.write_unit if shards else meta.chunks
    return tuple(
        [edges.within(n) if isinstance(edges, Edges) else edges for edges, n in zip(grid, meta.shape, strict=True)]
    )


def _merged(meta: ArrayMeta, limit: int) -> tuple[Any, ...]:
    """Return multiples of the shards, or of the chunks in one shard if shards are larger than the limit.

    Along irregular edges, neighbours are merged up to that length.
    """
    itemsize, unit = meta.dtype.itemsize, meta.chunk.shape
    if meta.irregular is not None:
        most = merged_chunks(meta.shape, unit, itemsize, limit)
        lengths = zip(_lengths_of(meta, shards=True), most, strict=True)
        return tuple([n if isinstance(given, int) else _joined(given, n) for given, n in lengths])
    if prod(unit) * itemsize <= limit:
        return merged_chunks(meta.shape, unit, itemsize, limit)
    chunks = longest_chunk(meta.chunks)
    inside = merged_chunks(unit, chunks, itemsize, limit)
    # blocks must not cross the boundaries of shards: their lengths divide those of the shard
    return tuple(_largest_divisor(u // c, i // c) * c for u, c, i in zip(unit, chunks, inside, strict=True))


def _joined(lengths: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return lengths with neighbours joined as long as their sum does not exceed `most`."""
    found = [lengths[0]]
    for length in lengths[1:]:
        if found[-1] + length <= most:
            found[-1] += length
        else:
            found.append(length)
    return tuple(found)


def _largest_divisor(count: int, most: int) -> int:
    """Return the largest divisor of `count` that is at most `most`."""
    return next(n for n in range(max(1, most), 0, -1) if count % n == 0)


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
    is_begun = is_begun or _array_expr_enabled()  # there tasks cannot wait for one that belongs to no array
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
