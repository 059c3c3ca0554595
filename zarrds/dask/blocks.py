"""Describe how an array is cut into the blocks of a graph, and check whether blocks share stored chunks.

Pure arithmetic on Python ints; regular grids store nothing for each block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd, prod
from typing import Any

import numpy as np

from zarrds._base.edges import Edges, Grid, end_at, longest_chunk, shown
from zarrds._base.types import Chunks, Shape
from zarrds.errors import ArgumentError, BlockAlignmentError

__all__ = [
    "BlockGrid",
    "check_alignment",
    "check_lengths",
    "fitting_blocks",
    "lengths_inside",
    "merged_chunks",
    "nearest_fit",
]


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """Blocks that an array is cut into.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array.
    lengths : tuple of (int or tuple of int)
        Along each dimension one length for all blocks (the last one may be cut by the array's end), or all lengths.
    origin : tuple of int
        Where the first block begins in the stored array; empty: at its beginning.
    """

    shape: Shape
    lengths: tuple[int | tuple[int, ...], ...]
    origin: tuple[int, ...] = ()

    @classmethod
    def of(cls, chunks: Sequence[Sequence[int]], origin: tuple[int, ...] = ()) -> BlockGrid:
        """Make a grid of a dask array's chunks; a dimension with equal blocks becomes one number."""
        shape = tuple(sum(lengths) for lengths in chunks)
        return cls(shape, tuple(_regular(tuple(lengths)) for lengths in chunks), origin)

    def region(self, block_id: Sequence[int]) -> tuple[slice, ...]:
        """Return the region of the stored array that a block covers."""
        found = []
        origin = self.origin or (0,) * len(self.shape)
        for at, lengths, size, first in zip(block_id, self.lengths, self.shape, origin, strict=True):
            start = at * lengths if isinstance(lengths, int) else sum(lengths[:at])
            length = lengths if isinstance(lengths, int) else lengths[at]
            found.append(slice(first + start, first + min(start + length, size)))
        return tuple(found)


def _regular(lengths: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return one number if all blocks have the same length (the last may be shorter), else all lengths."""
    first = lengths[0] if lengths else 0
    regular = first > 0 and lengths[-1] <= first and lengths[:-1].count(first) == len(lengths) - 1
    return first if regular else lengths


def check_alignment(blocks: Sequence[Sequence[int]], chunks: Grid, path: str = "", origin: Sequence[int] = ()) -> None:
    """Raise BlockAlignmentError if two blocks would write to one chunk; the outer ends need not be aligned.

    `origin` says where the first block begins in the stored array, if that is not its beginning.
    """
    for axis, (lengths, chunk) in enumerate(zip(blocks, chunks, strict=True)):
        first = origin[axis] if origin else 0
        inner = [first + boundary for boundary in _inner_boundaries(lengths)]
        wrong = next((boundary for boundary in inner if end_at(chunk, boundary) != boundary), None)
        if wrong is not None:
            raise _misaligned(blocks, chunks, path, axis, wrong, gcd(*inner))


def _misaligned(
    blocks: Sequence[Sequence[int]], chunks: Grid, path: str, axis: int, wrong: int, fitting: int
) -> BlockAlignmentError:
    chunk = chunks[axis]
    expected, wanted = f"boundaries at borders of the chunks {shown((chunk,))}", "the stored chunks"
    if not isinstance(chunk, Edges):
        expected = f"boundaries at multiples of the chunk length {chunk}"
        wanted = str(nearest_fit(blocks, longest_chunk(chunks)))
    return BlockAlignmentError(
        f"blocks along axis {axis} meet at {wrong}, inside a chunk, so that two tasks would write it",
        path=path,
        expected=expected,
        found=f"blocks {_short(blocks[axis])}",
        hint=f"rechunk the array to {wanted}, pass align='rechunk' to have that done, "
        f"or store chunks of length {fitting} along axis {axis}",
    )


def _inner_boundaries(lengths: Sequence[int]) -> list[int]:
    total, at, found = sum(lengths), 0, []
    for length in lengths:
        at += length
        if 0 < at < total:
            found.append(at)
    return found


def nearest_fit(blocks: Sequence[Sequence[int]], chunks: Chunks) -> Chunks:
    """Return block lengths near the given ones that are multiples of the chunks."""
    longest = [max(lengths, default=1) for lengths in blocks]
    return tuple(max(1, round(length / chunk)) * chunk for length, chunk in zip(longest, chunks, strict=True))


def fitting_blocks(blocks: Sequence[Sequence[int]], chunks: Grid, origin: Sequence[int]) -> tuple[Chunks, ...]:
    """Return blocks of about the given lengths that meet at chunk boundaries; the first begins at `origin`."""
    found = []
    fits = nearest_fit(blocks, longest_chunk(chunks))
    for lengths, chunk, fit, first in zip(blocks, chunks, fits, origin, strict=True):
        end = first + sum(lengths)
        if isinstance(chunk, Edges):
            borders = [min(end_at(chunk, first + border), end) for border in _inner_boundaries(lengths)]
            edges = list(dict.fromkeys([first, *borders, end]))
        else:
            edges = [first, *range((first // fit + 1) * fit, end, fit), end]
        found.append(tuple(b - a for a, b in pairwise(edges)) or (0,))
    return tuple(found)


def _short(lengths: Sequence[int]) -> str:
    shown = ", ".join(map(str, lengths[:6]))
    return f"({shown}, ...)" if len(lengths) > 6 else f"({shown})"


def merged_chunks(shape: Shape, chunks: Chunks, itemsize: int, limit_bytes: int) -> Chunks:
    """Return multiples of the chunks within `limit_bytes`; the dimension that has grown least is doubled first."""
    counts = [max(1, -(-size // chunk)) for size, chunk in zip(shape, chunks, strict=True)]
    factors = [1] * len(shape)
    room = max(1, limit_bytes // max(1, prod(chunks) * itemsize))
    growing = set(range(len(shape)))
    while growing:
        axis = min(growing, key=lambda i: (factors[i], -i))
        others = prod(factors) // factors[axis]
        factor = min(factors[axis] * 2, counts[axis], room // others)
        if factor <= factors[axis]:
            growing.discard(axis)
        else:
            factors[axis] = factor
    return tuple(factor * chunk for factor, chunk in zip(factors, chunks, strict=True))


def lengths_inside(shape: Shape, grid: Grid) -> tuple[int | tuple[int, ...], ...]:
    """Return the lengths of chunks along each dimension as dask takes them: one, or those of all where they differ.

    >>> lengths_inside((10, 30), (Edges.of([3, 5, 9]), 10))
    ((3, 5, 2), 10)
    """
    every = zip(shape, grid, strict=True)
    return tuple([edges.within(length) if isinstance(edges, Edges) else edges for length, edges in every])


def check_lengths(shape: tuple[int, ...], chunks: Any) -> None:
    """Raise ValueError for lengths of blocks that dask would take, but that cut nothing sensible: -5, or True."""
    given = chunks if isinstance(chunks, (tuple, list)) else (chunks,) * len(shape)
    for length, whole in zip(given, shape, strict=False):
        is_number = isinstance(length, (int, np.integer, np.bool_))
        if isinstance(length, (bool, np.bool_)) or (is_number and length < min(1, whole) and length != -1):
            raise ArgumentError(
                f"lengths of blocks must be at least 1, or -1 for the whole dimension; found {length!r}"
            )
