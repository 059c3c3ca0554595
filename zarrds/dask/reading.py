"""Make dask arrays of stored arrays.

Importing `dask.array` costs a worker 60 MB and a second, since it imports pandas, scipy and xarray. The modules that
tasks come from must therefore not import it, nor this module.

An array is one symbolic blockwise layer, which dask fuses with its neighbours. The layer holds the source once and
nothing for each chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import prod
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.blockwise import BlockwiseDep, blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.tokenize import tokenize
from dask.utils import parse_bytes

from zarrds._base.edges import longest_chunk
from zarrds._base.types import Shape
from zarrds._format import ArrayMeta
from zarrds._store import StoreLike
from zarrds.core import Array
from zarrds.dask.blocks import BlockGrid, check_lengths, lengths_inside, merged_chunks
from zarrds.dask.dimensions import chunks_of_axes, dimension_names
from zarrds.dask.places import opened
from zarrds.dask.tasks import Reading, read_block, read_block_as

__all__ = ["BlockIds", "array_expr_enabled", "from_zarr"]


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
        chunks = chunks_of_axes(
            chunks, dimension_names(array), lengths_inside(chunk_source.meta.shape, chunk_source.meta.chunks)
        )
    blocks = _blocks(chunk_source.meta, chunks)
    grid = BlockGrid.of(blocks)
    how = _reading(array, meta)
    task, shared = (read_block, (chunk_source, grid)) if how is None else (read_block_as, (chunk_source, grid, how))
    name = name or f"zarrds-read-{tokenize(*shared)}"
    example = np.empty_like(
        [] if how is None or how.like is None else how.like, chunk_source.meta.dtype, shape=(0,) * len(blocks)
    )
    if array_expr_enabled():
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


def array_expr_enabled() -> bool:
    """Return whether dask makes expressions of arrays (query planning), which have no layers."""
    return bool(getattr(da, "_array_expr_enabled", bool)())


def _blocks(meta: ArrayMeta, chunks: Any) -> tuple[tuple[int, ...], ...]:
    """Return the lengths of the blocks along each dimension, in dask's form."""
    if chunks is None or chunks == "store":
        chunks = lengths_inside(meta.shape, meta.chunks)
    elif isinstance(chunks, str) and chunks == "shards":
        chunks = lengths_inside(meta.shape, meta.write_unit)
    elif isinstance(chunks, str) and chunks == "auto":
        limit = parse_bytes(dask.config.get("array.chunk-size"))
        chunks = _merged(meta, limit)
    check_lengths(meta.shape, chunks)
    if isinstance(chunks, tuple) and all(type(length) is int and length > 0 for length in chunks):
        return _regular_blocks(meta.shape, chunks)
    found: tuple[tuple[int, ...], ...] = da.core.normalize_chunks(
        chunks, shape=meta.shape, dtype=meta.dtype, previous_chunks=lengths_inside(meta.shape, meta.chunks)
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


def _merged(meta: ArrayMeta, limit: int) -> tuple[Any, ...]:
    """Return multiples of the shards, or of the chunks in one shard if shards are larger than the limit.

    Along irregular edges, neighbours are merged up to that length.
    """
    itemsize, unit = meta.dtype.itemsize, meta.chunk.shape
    if meta.irregular is not None:
        most = merged_chunks(meta.shape, unit, itemsize, limit)
        lengths = zip(lengths_inside(meta.shape, meta.write_unit), most, strict=True)
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
