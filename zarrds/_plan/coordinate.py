"""Plans of point selections: coordinate arrays, and masks, which are converted into coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zarrds._base.edges import Edges, Grid, grid_shape, is_regular, length_inside
from zarrds._base.types import NDArrayAny, Shape
from zarrds._plan.dims import group_starts, is_distinct
from zarrds._plan.normalize import Selection, integer_array, wrap_array
from zarrds._plan.projection import Projection
from zarrds.errors import CoordinateShapeError, VindexInvalidSelectionError

__all__ = ["PointPlan", "plan_coordinate", "plan_mask"]


@dataclass(frozen=True, slots=True, eq=False)
class PointPlan:
    """A plan of points, grouped by chunk.

    Attributes
    ----------
    work_shape, result_shape : tuple of int
        Number of points as ``(n,)``; the shape to which the coordinates were broadcast.
    grid_coords : int array
        Chunks met, in C order, shape ``(ndim, met)``.
    starts : list of int
        First point of each chunk met, and the number of points at the end.
    offsets : int array
        Positions inside the chunks, sorted by chunk, shape ``(ndim, n)``.
    order : int array or None
        Position of each sorted point in the result; None if sorting changed nothing.
    shape, chunks : tuple of int
        The array and its chunks.
    """

    work_shape: Shape
    result_shape: Shape
    grid_coords: NDArray[np.intp]
    starts: list[int]
    offsets: NDArray[np.intp]
    order: NDArray[np.intp] | None
    shape: Shape
    chunks: Grid

    @property
    def drop_axes(self) -> tuple[int, ...]:
        """Always empty: points have no axes to drop."""
        return ()

    @property
    def plain(self) -> bool:
        """Always False: the parts are arrays."""
        return False

    def __len__(self) -> int:
        return max(len(self.starts) - 1, 0)

    def single(self) -> Projection | None:
        """Return the projection if there is only one, else None."""
        return next(iter(self)) if len(self) == 1 else None

    def __iter__(self) -> Iterator[Projection]:
        starts, order, offsets, regular = self.starts, self.order, self.offsets, is_regular(self.chunks)
        for row, (begin, end) in enumerate(pairwise(starts)):
            coords = tuple(self.grid_coords[:, row].tolist())
            part = tuple(offsets[:, begin:end])
            out = slice(begin, end) if order is None else order[begin:end]
            yield Projection(coords, part, (out,), self._is_whole(coords, part, end - begin, regular))

    def _is_whole(
        self, coords: tuple[int, ...], part: tuple[NDArray[np.intp], ...], points: int, regular: bool
    ) -> bool:
        """Return whether the points, as many as the chunk has elements in the array, are all different."""
        chunks: Any = self.chunks
        every = zip(chunks, coords, self.shape, strict=True)
        valid = [min(c, n - i * c) for c, i, n in every] if regular else [length_inside(*found) for found in every]
        if points != prod(valid):
            return False
        return is_distinct(np.ravel_multi_index(part, valid))


def plan_coordinate(selection: Selection, shape: Shape, chunks: Grid) -> PointPlan:
    """Plan one integer array for each dimension, broadcast against each other; 0-d arrays have no points."""
    items = selection if isinstance(selection, tuple) else (selection,)
    if len(items) != len(shape) or not shape:
        raise _not_coordinates(expected=f"{len(shape)} integer arrays", found=len(items))
    arrays = [_coordinates(item) for item in items]
    wrapped = [wrap_array(array, length) for array, length in zip(arrays, shape, strict=True)]
    try:
        points = np.broadcast_arrays(*wrapped)
    except ValueError as error:
        found = [array.shape for array in wrapped]
        raise CoordinateShapeError(found=found) from error
    result_shape = points[0].shape or (1,)  # a single point has a dimension, as in zarr-python 2.17
    flat = np.empty((len(shape), prod(result_shape)), dtype=np.intp)
    for axis in range(len(shape)):
        flat[axis] = points[axis].reshape(-1)
    return _plan_points(flat, result_shape, shape, chunks)


def plan_mask(selection: Selection, shape: Shape, chunks: Grid) -> PointPlan:
    """Plan a Boolean array of the array's shape."""
    item = selection[0] if isinstance(selection, tuple) and len(selection) == 1 else selection
    try:
        mask = np.asarray(item)
    except ValueError:
        mask = np.empty(0)
    if mask.dtype != bool or mask.shape != shape or not shape:
        message = "invalid mask selection"
        raise VindexInvalidSelectionError(message, expected=f"boolean array of shape {shape}", found=_describe(mask))
    flat = np.array(np.nonzero(mask), dtype=np.intp)
    return _plan_points(flat, (flat.shape[1],), shape, chunks)


def _coordinates(item: object) -> NDArrayAny:
    found = integer_array(item)
    if found is None:
        raise _not_coordinates(expected="one integer array for each dimension", found=type(item).__name__)
    return found


def _plan_points(points: NDArray[np.intp], result_shape: Shape, shape: Shape, chunks: Grid) -> PointPlan:
    """Group the points, shape ``(ndim, n)``, by chunk, stably: of repeated points the last is written last."""
    if is_regular(chunks):
        sizes = np.array(chunks, dtype=np.intp).reshape(-1, 1)
        grid_coords = points // sizes
        offsets = points - grid_coords * sizes
    else:
        grid_coords, offsets = _among_edges(points, chunks)
    keys = _chunk_keys(grid_coords, grid_shape(shape, chunks))
    order = None
    if (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        keys, offsets = keys[order], offsets.take(order, axis=1)
    starts = group_starts(keys)
    firsts = starts[:-1] if order is None else order[starts[:-1]]
    count = points.shape[1]
    return PointPlan((count,), result_shape, grid_coords[:, firsts], starts, offsets, order, shape, chunks)


def _among_edges(points: NDArray[np.intp], chunks: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the chunk of each point along each dimension, and its position inside that chunk."""
    grid_coords, offsets = np.empty_like(points), np.empty_like(points)
    for axis, chunk in enumerate(chunks):
        if isinstance(chunk, Edges):
            grid_coords[axis], starts, _ = chunk.find(points[axis])
            offsets[axis] = points[axis] - starts
        else:
            np.divmod(points[axis], chunk, out=(grid_coords[axis], offsets[axis]))
    return grid_coords, offsets


def _chunk_keys(grid_coords: NDArray[np.intp], counts: Shape) -> NDArrayAny:
    """Return one number per point that sorts in the order of chunks; small integers sort faster."""
    points = grid_coords.shape[1]
    if points == 0:
        return np.zeros(points, dtype=np.intp)
    total = prod(counts)
    if total > np.iinfo(np.intp).max:
        inverse: NDArrayAny = np.unique(grid_coords, axis=1, return_inverse=True)[1]
        return inverse.reshape(points)
    keys: NDArrayAny = np.ravel_multi_index(tuple(grid_coords), counts)
    return keys.astype(np.uint16) if total <= 1 << 16 else keys


def _describe(array: NDArrayAny) -> str:
    return f"{array.dtype} array of shape {array.shape}"


def _not_coordinates(*, expected: object, found: object) -> VindexInvalidSelectionError:
    return VindexInvalidSelectionError("invalid coordinate selection", expected=expected, found=found)
