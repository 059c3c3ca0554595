"""Plans of orthogonal selections: one independent item for each dimension, integer and Boolean arrays included.

The parts are written so that numpy keeps the order of dimensions (`drop_axes` is explained with `Plan`):

- no arrays are left: integers and slices, as for basic selections;
- one array: slices and that array, integers become slices of length 1;
- several arrays: all parts are arrays of an open mesh, as from `numpy.ix_`.

An array whose elements ascend by one within each chunk is written as a slice; this is decided separately for chunk and
result.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zarrds._base.edges import Edges, Grid
from zarrds._base.types import Shape
from zarrds._plan.dims import (
    ArrayDim,
    Dim,
    EdgeIntDim,
    EdgeSliceDim,
    IntDim,
    OpenDim,
    SliceDim,
    int_dim,
    slice_dim,
    table_of_array,
)
from zarrds._plan.grid import GridPlan
from zarrds._plan.normalize import (
    Selection,
    as_integer,
    bounded_slice,
    expand_selection,
    integer_array,
    wrap_array,
    wrap_integer,
)
from zarrds.errors import ArrayIndexError

__all__ = ["plan_orthogonal"]


def plan_orthogonal(selection: Selection, shape: Shape, chunks: Grid) -> GridPlan:
    """Plan any combination of integers, slices, and one-dimensional integer and Boolean arrays."""
    items = expand_selection(selection, len(shape))
    dims = tuple([_plan_dim(*found) for found in zip(items, shape, chunks, strict=True)])
    work_shape = tuple([dim.items for dim in dims if not isinstance(dim, _INTS)])
    arrays = [dim for dim in dims if isinstance(dim, ArrayDim)]
    chunk_arrays = sum([dim.has_chunk_arrays for dim in arrays])
    out_arrays = sum([dim.has_out_arrays for dim in arrays])
    drop_axes = tuple([axis for axis, dim in enumerate(dims) if isinstance(dim, _INTS)]) if chunk_arrays else ()
    if drop_axes:
        dims = tuple([dim._replace(kept=True) if isinstance(dim, _INTS) else dim for dim in dims])
    if chunk_arrays > 1 or out_arrays > 1:
        opened = _open_dims(dims, chunk_side=chunk_arrays > 1, out_side=out_arrays > 1)
        return GridPlan(opened, work_shape, drop_axes)
    return GridPlan(dims, work_shape, drop_axes)


_INTS = (IntDim, EdgeIntDim)
_Alone: TypeAlias = IntDim | SliceDim | EdgeIntDim | EdgeSliceDim | ArrayDim


def _plan_dim(item: object, length: int, chunk: int | Edges) -> _Alone:
    if isinstance(item, slice):
        return slice_dim(*bounded_slice(item, length), length, chunk)
    index = as_integer(item)
    if index is not None:
        return int_dim(wrap_integer(index, length), length, chunk)
    positions = wrap_array(_positions(item, length), length)
    return ArrayDim(positions.size, table_of_array(positions, length, chunk))


def _positions(item: object, length: int) -> NDArray[np.integer]:
    """Return the positions that a one-dimensional array or sequence selects."""
    found = integer_array(item)
    if found is None:
        found = _mask_positions(item, length)
    if found.ndim != 1:
        message = "arrays in an orthogonal selection must have one dimension"
        raise ArrayIndexError(message, expected=1, found=found.ndim)
    return found


def _mask_positions(item: object, length: int) -> NDArray[np.intp]:
    try:
        mask = np.asarray(item)
    except ValueError as error:
        raise _unsupported(item) from error
    if mask.dtype != bool:
        raise _unsupported(item)
    if mask.shape != (length,):
        message = "boolean array does not have the length of its dimension"
        raise ArrayIndexError(message, expected=(length,), found=mask.shape)
    return np.flatnonzero(mask)


def _open_dims(dims: tuple[_Alone, ...], *, chunk_side: bool, out_side: bool) -> tuple[Dim, ...]:
    ndim = len(dims)
    kept = [axis for axis, dim in enumerate(dims) if not isinstance(dim, _INTS)]
    chunk_shapes = [_mesh_shape(axis, ndim) if chunk_side else None for axis in range(ndim)]
    out_shapes: list[Shape | None] = [None] * ndim
    if out_side:
        for place, axis in enumerate(kept):
            out_shapes[axis] = _mesh_shape(place, len(kept))
    return tuple([OpenDim(*found) for found in zip(dims, chunk_shapes, out_shapes, strict=True)])


def _mesh_shape(axis: int, ndim: int) -> Shape:
    return tuple([-1 if other == axis else 1 for other in range(ndim)])


def _unsupported(item: object) -> ArrayIndexError:
    message = "unsupported selection item for orthogonal indexing"
    expected = "integer, slice, integer array or boolean array"
    return ArrayIndexError(message, expected=expected, found=type(item).__name__)
