"""Cut arrays into blocks of bounded size, and combine blocks into batches: one batch for each task that reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Generic, TypeVar

from zarrds._base.edges import longest_chunk
from zarrds._base.types import NDArrayAny, Shape
from zarrds._engine import ChunkSource
from zarrds.core import Array
from zarrds.dask.batches import LEAST_TASKS, MAX_TASKS, coords_between
from zarrds.dask.blocks import BlockGrid, merged_chunks
from zarrds.dask.tasks import read_block

__all__ = ["BlockRange", "SumsByArray", "block_batches", "parts_of", "regions_of"]

T = TypeVar("T", bound=Any)

BLOCK_BYTES = 16 * 2**20
"""Decoded bytes that a task reads at a time; a larger chunk is read whole."""

Region = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class BlockRange:
    """Some blocks of one array, in C order.

    Attributes
    ----------
    number : int
        Number of the array among those of the job.
    source : ChunkSource
        The array.
    grid : BlockGrid
        How it is cut into blocks.
    start, stop : int
        First block, and one past the last.
    """

    number: int
    source: ChunkSource
    grid: BlockGrid
    start: int
    stop: int

    def regions(self) -> Iterator[Region]:
        """Yield the region of the array that each block covers."""
        for _, region in regions_of(self.grid, self.start, self.stop):
            yield region

    def blocks(self) -> Iterator[tuple[Region, NDArrayAny]]:
        """Yield the region of each block, and its values."""
        for block_id, region in regions_of(self.grid, self.start, self.stop):
            yield region, read_block(self.source, self.grid, block_id)


@dataclass(frozen=True, slots=True)
class SumsByArray(Generic[T]):
    """What tasks have found in the blocks of some arrays; can be added to others.

    Attributes
    ----------
    sums : mapping of int to object
        For each number of an array the sum of what was found in its blocks.
    bytes : int
        Decoded bytes of these blocks; `progress` shows them.
    """

    sums: Mapping[int, T]
    bytes: int

    def __add__(self, other: SumsByArray[T]) -> SumsByArray[T]:
        sums = dict(self.sums)
        for number, found in other.sums.items():
            sums[number] = sums[number] + found if number in sums else found
        return SumsByArray(sums, self.bytes + other.bytes)


def block_batches(arrays: Sequence[Array], *, whole: bool = False) -> list[tuple[BlockRange, ...]]:
    """Return the blocks of all arrays in at most some 1000 batches; small arrays share one.

    Parameters
    ----------
    arrays : sequence of Array
        What is to be read.
    whole : bool
        Whether a block covers whole stored values, so that large shards are not cut.
    """
    grids = [_grid(array, whole) for array in arrays]
    weights = [max(1, array.nbytes) for array in arrays]
    most = max(1, -(-sum(weights) // LEAST_TASKS))
    found: list[tuple[BlockRange, ...]] = []
    filling: list[BlockRange] = []
    filled = 0
    for number, (array, grid, nbytes) in enumerate(zip(arrays, grids, weights, strict=True)):
        source, count = array.source(), prod(_counts(grid))
        if nbytes > most:
            tasks = max(1, min(count, MAX_TASKS * nbytes // sum(weights), LEAST_TASKS))
            found += [(BlockRange(number, source, grid, *span),) for span in _spans(count, tasks)]
            continue
        if filled + nbytes > most and filling:
            found.append(tuple(filling))
            filling, filled = [], 0
        filling.append(BlockRange(number, source, grid, 0, count))
        filled += nbytes
    return [*found, tuple(filling)] if filling else found


def parts_of(region: Region, shape: Shape, chunks: Shape, itemsize: int) -> BlockGrid:
    """Return blocks of bounded size, of whole chunks if `region` begins at one, that cover a region of an array."""
    sizes = tuple(part.stop - part.start for part in region)
    return BlockGrid(sizes, _lengths(sizes, chunks, itemsize), tuple(part.start for part in region))


def regions_of(grid: BlockGrid, start: int = 0, stop: int | None = None) -> Iterator[tuple[tuple[int, ...], Region]]:
    """Yield the position of each block from `start` to `stop`, in C order, and the region that it covers."""
    counts = _counts(grid)
    for block_id in coords_between(counts, start, prod(counts) if stop is None else stop):
        yield block_id, grid.region(block_id)


def _grid(array: Array, whole: bool) -> BlockGrid:
    """Return blocks of several chunks; if large shards may be cut, of several inner chunks."""
    itemsize = array.dtype.itemsize
    meta = array.source().meta
    cut = not whole and prod(meta.chunk.shape) * itemsize > BLOCK_BYTES
    lengths = longest_chunk(meta.chunks) if cut else meta.chunk.shape
    return BlockGrid(array.shape, _lengths(array.shape, lengths, itemsize))


def _lengths(shape: Shape, chunks: Shape, itemsize: int) -> Shape:
    return merged_chunks(shape, tuple(max(1, n) for n in chunks), max(1, itemsize), BLOCK_BYTES)


def _counts(grid: BlockGrid) -> Shape:
    return tuple(
        -(-size // length) if isinstance(length, int) else len(length)
        for size, length in zip(grid.shape, grid.lengths, strict=True)
    )


def _spans(count: int, tasks: int) -> Iterator[tuple[int, int]]:
    """Yield `tasks` ranges of nearly equal length that cover `count` items."""
    edges = [count * i // tasks for i in range(tasks + 1)]
    yield from pairwise(edges)
