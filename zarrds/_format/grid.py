"""Chunk grids: arithmetic on shapes and chunk lengths.

Responsible for the number of chunks, the part of a chunk that is inside the array, the chunks that a resize removes,
and chunk shapes that users leave open. Works on Python ints and never enumerates a grid, so grids may be of any size.
A dimension is regular (one length) or irregular (`Edges`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log10, prod
from operator import index
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from zarrds._base.edges import Edges, Grid, grid_shape, length_inside
from zarrds._base.types import Chunks, Shape
from zarrds.errors import ArgumentError, ArgumentTypeError

__all__ = [
    "ChunksGiven",
    "box_coords",
    "chunk_count",
    "grid_shape",
    "guess_chunks",
    "is_sequence",
    "normalize_chunks",
    "normalize_grid",
    "normalize_shape",
    "removed_chunks",
    "valid_part",
]

ChunksGiven: TypeAlias = bool | int | Iterable[int | Iterable[Any] | None] | None
"""What users may give for chunks."""

# The guess aims at 256 KiB for an array of 1 MiB and doubles with every factor of ten; both bounds limit the aim.
_BASE_BYTES = 256 * 2**10
_MIN_BYTES = 128 * 2**10
_MAX_BYTES = 64 * 2**20


def chunk_count(shape: Shape, chunks: Grid) -> int:
    """Return the number of chunks in the grid: 1 for 0-d arrays, 0 if a dimension has length 0."""
    return prod(grid_shape(shape, chunks))


def valid_part(coords: Sequence[int], shape: Shape, chunks: Grid) -> tuple[slice, ...]:
    """Return the region of the chunk at `coords` that is inside the array: less than the chunk at ragged edges."""
    return tuple([slice(0, length_inside(*found)) for found in zip(chunks, coords, shape, strict=True)])


def removed_chunks(old_shape: Shape, new_shape: Shape, chunks: Grid) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of the chunks that a resize removes: those of the old grid that are not in the new one.

    The removed region is cut into one box per dimension: before it the chunks kept, along it the chunks removed,
    after it all. The boxes are disjoint, and no kept chunk is ever visited.
    """
    old, new = grid_shape(old_shape, chunks), grid_shape(new_shape, chunks)
    for dim in range(len(old)):
        kept = [range(min(a, b)) for a, b in zip(old[:dim], new[:dim], strict=True)]
        rest = [range(count) for count in old[dim + 1 :]]
        box = [*kept, range(new[dim], old[dim]), *rest]
        if all(box):
            yield from box_coords(box)


def box_coords(box: Sequence[range]) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates in a box, in C order; `itertools.product` would first turn the ranges into tuples."""
    if not box:
        yield ()
        return
    for head in box_coords(box[:-1]):
        for last in box[-1]:
            yield (*head, last)


def normalize_shape(shape: int | Iterable[int]) -> Shape:
    """Return the shape as Python ints; raise ValueError for negative lengths and texts, TypeError for non-integers."""
    lengths = tuple(_item(n, "shape") for n in shape) if is_sequence(shape) else (_integer(shape, "shape"),)
    if any(length < 0 for length in lengths):
        raise ArgumentError(f"shape must not be negative, found {lengths}")
    return lengths


def normalize_chunks(chunks: ChunksGiven, shape: Shape, itemsize: int) -> Chunks:
    """Return the chunk shape for what a user gives, at least 1 along each dimension.

    None or True: guessed; False or -1: one chunk; an integer: for every dimension; a sequence: one length per
    dimension, where None, -1 or a missing entry at the end means the whole dimension.
    """
    if chunks is None or isinstance(chunks, bool | np.bool_):
        return guess_chunks(shape, itemsize) if chunks is None or chunks else _whole(shape)
    given: tuple[object, ...] = (chunks,) * len(shape)
    if is_sequence(chunks):
        given = tuple(None if chunk is None else _item(chunk, "chunks") for chunk in chunks)
    if len(given) > len(shape):
        raise ArgumentError(f"too many dimensions in chunks: {len(given)}, but the array has {len(shape)}")
    given += (None,) * (len(shape) - len(given))
    return tuple(_chunk_length(chunk, length) for chunk, length in zip(given, shape, strict=True))


def normalize_grid(chunks: ChunksGiven, shape: Shape, itemsize: int) -> Grid:
    """Return the grid for what a user gives: as `normalize_chunks`, or the lengths of all chunks of a dimension.

    A dimension with a sequence is irregular, also if its lengths are equal: it grows by chunks of any length. Its items
    are lengths and pairs ``[length, count]``; they must reach the end of the array.
    """
    if not is_sequence(chunks):
        return normalize_chunks(chunks, shape, itemsize)
    items: list[Any] = [item.tolist() if isinstance(item, np.ndarray) and item.ndim else item for item in chunks]
    nested = [is_sequence(item) for item in items]
    if not any(nested):
        return normalize_chunks(items, shape, itemsize)
    regular = normalize_chunks(
        [None if lengths else item for item, lengths in zip(items, nested, strict=True)], shape, 1
    )
    grid: list[int | Edges] = list(regular)
    for axis, (item, lengths) in enumerate(zip(items, nested, strict=True)):
        if lengths:
            grid[axis] = _edges(item, shape[axis], axis)
    return tuple(grid)


def _edges(given: Any, length: int, axis: int) -> Edges:
    try:
        edges = Edges.of([item.item() if isinstance(item, np.integer) else item for item in given])
    except ArgumentError as error:
        raise ArgumentError(
            f"these are no lengths of chunks along dimension {axis}",
            expected=error.expected,
            found=error.found,
            hint="a dimension has one length, or a list with the lengths of all its chunks, such as [3, 5, 2]",
        ) from None
    if edges.total < length:
        raise ArgumentError(
            f"the chunks along dimension {axis} do not reach the end of the array",
            expected=f"lengths with a sum of at least {length}",
            found=edges.total,
            hint="give more chunks, or a longer last one: it may reach past the end",
        )
    return edges


def is_sequence(value: object) -> TypeGuard[Iterable[object]]:
    """Return whether a value holds several lengths; texts, mappings, sets, numbers and 0-d arrays do not."""
    is_other = isinstance(value, str | bytes | Mapping | set | frozenset)
    return isinstance(value, Iterable) and not is_other and getattr(value, "ndim", 1) != 0


def _chunk_length(chunk: object, length: int) -> int:
    if chunk is None:
        return max(1, length)
    given = _integer(chunk, "chunks")
    if given == -1 or (given == 0 and length == 0):
        return max(1, length)
    if given < 1:
        raise ArgumentError(f"chunk lengths must be at least 1, or -1 for the whole dimension; found {given}")
    return given


def _item(value: object, what: str) -> int:
    """Return one length of several; whole floats, which come from divisions, are accepted as in Zarr-Python 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else _integer(value, what)


def _integer(value: object, what: str) -> int:
    if isinstance(value, str | bytes):
        raise ArgumentError(f"{what} must be integers, found {value!r}")
    if isinstance(value, bool | np.bool_):
        raise ArgumentTypeError(f"{what} must be integers, found {value!r}")
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentTypeError(f"{what} must be integers, found {value!r} of type {type(value).__name__}") from None


def _whole(shape: Shape) -> Chunks:
    return tuple(max(1, length) for length in shape)


def guess_chunks(shape: Shape, itemsize: int) -> Chunks:
    """Return a guessed chunk shape for an array: halves one dimension after the other.

    Stops within a factor 1.5 of the target size, which grows slowly with the array's size.
    """
    chunks = list(_whole(shape))
    aim = _aimed_bytes(prod(chunks) * itemsize)
    dim = 0
    while not _is_small_enough(prod(chunks) * itemsize, aim) and any(chunk > 1 for chunk in chunks):
        chunks[dim % len(chunks)] = -(-chunks[dim % len(chunks)] // 2)
        dim += 1
    return tuple(chunks)


def _aimed_bytes(array_bytes: int) -> float:
    aim = _BASE_BYTES * 2 ** log10(array_bytes / 2**20) if array_bytes else 0
    return min(max(aim, _MIN_BYTES), _MAX_BYTES)


def _is_small_enough(chunk_bytes: int, aim: float) -> bool:
    return chunk_bytes < 1.5 * aim and chunk_bytes < _MAX_BYTES
