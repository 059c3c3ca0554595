"""Pack a block of an array into one value, with its elements ordered by the blocks of another grid.

A piece is the part of the block that lies in one block of the other grid. Pieces follow each other in C order of that
grid; each is C-contiguous. Offsets are computed, so no index is stored. Uses numpy only; sizes are in elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from zarrds._base.types import Chunks, NDArrayAny, Shape

__all__ = ["Packing", "Region", "region_of"]

Region = tuple[slice, ...]
"""A box of an array: one slice for each dimension, with start and stop."""


def region_of(coords: Sequence[int], block: Chunks, shape: Shape) -> Region:
    """Return the region of the array that the block at `coords` of a grid covers."""
    return tuple(slice(at * b, min((at + 1) * b, n)) for at, b, n in zip(coords, block, shape, strict=True))


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring pieces along one axis that a part covers in the same way."""

    part_start: int  # first element of the part
    count: int  # pieces
    covered: int  # elements of each piece that are covered
    start: int  # of the first piece, within the block
    length: int  # of each piece
    skipped: int  # elements of the piece before those covered


class Packing:
    """Layout of one packed object.

    Parameters
    ----------
    region : tuple of slice
        The block, in the array.
    grid : tuple of int
        Block shape of the other grid.
    """

    __slots__ = ("grid", "lengths", "region")
    grid: Chunks
    lengths: tuple[Any, ...]
    region: Region

    def __init__(self, region: Region, grid: Chunks) -> None:
        self.region = region
        self.grid = grid
        self.lengths = tuple(r.stop - r.start for r in region)

    def coords(self) -> Iterator[tuple[int, ...]]:
        """Yield the coordinates of the blocks of the other grid that overlap the region, in C order."""
        return product(*(range(r.start // g, -(-r.stop // g)) for r, g in zip(self.region, self.grid, strict=True)))

    def piece(self, coords: Sequence[int]) -> Region:
        """Return the region, in the array, of the piece in the block at `coords` of the other grid."""
        return tuple(
            slice(max(r.start, at * g), min(r.stop, (at + 1) * g))
            for at, r, g in zip(coords, self.region, self.grid, strict=True)
        )

    def offset(self, piece: Region) -> int:
        """Return the number of elements before a piece: the sum, over the axes, of a slab of the pieces before it."""
        total, before, after = 0, 1, prod(self.lengths)
        for part, whole in zip(piece, self.region, strict=True):
            after //= whole.stop - whole.start
            total += before * (part.start - whole.start) * after
            before *= part.stop - part.start
        return total

    def put(self, packed: NDArrayAny, region: Region, part: NDArrayAny) -> None:
        """Write the values of a region of the array, which lies in the block, to the packed bytes."""
        ends = zip(region, self.region, self.grid, strict=True)
        for runs in product(*(self._runs(r, whole, grid) for r, whole, grid in ends)):
            source = part[tuple(slice(run.part_start, run.part_start + run.count * run.covered) for run in runs)]
            split = source.reshape([n for run in runs for n in (run.count, run.covered)])
            ndim = len(runs)
            self._view(packed, part.dtype, runs)[...] = split.transpose(
                [*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)]
            )

    @staticmethod
    def _runs(part: slice, whole: slice, grid: int) -> list[_Run]:
        """Cut one axis of a part into at most three runs: a first and a last piece, and all between them."""
        first, last = part.start // grid, (part.stop - 1) // grid
        cuts = [(first, 1), (first + 1, last - first - 1), (last, 1)] if last > first else [(first, 1)]
        runs = []
        for at, count in cuts:
            if count < 1:
                continue
            start, stop = max(whole.start, at * grid), min(whole.stop, (at + 1) * grid)
            begin, end = max(start, part.start), min(stop, part.stop)
            runs.append(_Run(begin - part.start, count, end - begin, start - whole.start, stop - start, begin - start))
        return runs

    def _view(self, packed: NDArrayAny, dtype: np.dtype[Any], runs: Sequence[_Run]) -> np.ndarray[Any, Any]:
        """Return a view of the elements of the runs: an axis for the pieces of each run, then one for elements."""
        lengths = [run.length for run in runs]
        offset, outer, inner = 0, [], []
        before, after, within = 1, prod(self.lengths), prod(lengths)
        for run, whole in zip(runs, self.lengths, strict=True):
            after //= whole
            within //= run.length
            offset += before * run.start * after + run.skipped * within
            before *= run.length
            outer.append(before * after)
            inner.append(within)
        shape = [run.count for run in runs] + [run.covered for run in runs]
        strides = [dtype.itemsize * stride for stride in (*outer, *inner)]
        return np.ndarray(shape, dtype, packed.data, offset * dtype.itemsize, strides)
