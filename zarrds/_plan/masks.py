"""Selections with Boolean masks between plain brackets: resolve them as numpy does.

A mask means the positions where it is True, one integer array for each of its dimensions. Integers and integer arrays
beside it broadcast against these arrays. Together they select points, which give the result one dimension, or as many
as they broadcast to. These dimensions are at the position of the first array, or in front if slices, new axes or an
ellipsis are between the arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zarrds._base.types import NDArrayAny, Part, Shape
from zarrds._plan.mixed import points_axis
from zarrds._plan.normalize import Selection, as_integer, bounded_slice, integer_array, wrap_array
from zarrds.errors import ArrayIndexError

__all__ = ["MaskedSelection", "has_mask", "resolve_masks"]


@dataclass(frozen=True, slots=True, eq=False)
class MaskedSelection:
    """A selection with masks, resolved against the shape of an array.

    Attributes
    ----------
    items : tuple
        For each dimension a slice, or one-dimensional positions; these are points (see `plan_mixed`).
    shape : tuple of int
        Shape of the result in numpy.
    axis : int or None
        Dimension of the plan's result for the points; None if there are no points.
    place : int
        Dimension of the points in numpy's result, not counting new axes.
    """

    items: Part
    shape: Shape
    axis: int | None
    place: int

    @property
    def work_ndim(self) -> int:
        """Number of dimensions of the plan's result."""
        return sum([isinstance(item, slice) for item in self.items]) + (self.axis is not None)

    def arranged(self, found: NDArrayAny) -> NDArrayAny:
        """Return the result of the plan as numpy arranges it."""
        shape = self.shape + found.shape[self.work_ndim :]
        if self.axis is not None:
            return np.moveaxis(found, self.axis, self.place).reshape(shape)
        return found.reshape(shape) if prod(self.shape) else found.reshape(-1)[:0].reshape(shape)

    def restored(self, value: NDArrayAny, work_shape: Shape) -> NDArrayAny:
        """Return a value of `shape`, arranged as numpy does, in the order of the plan."""
        inner = value.shape[len(self.shape) :]
        moved = list(work_shape)
        if self.axis is None:
            return value.reshape((*moved, *inner))
        moved.insert(self.place, moved.pop(self.axis))
        return np.moveaxis(value.reshape((*moved, *inner)), self.place, self.axis)


# --- is there a mask? -------------------------------------------------------------------------------------------------


def has_mask(selection: Selection) -> bool:
    """Return whether a mask is among the items: a Boolean array of any library, a numpy boolean, a list of booleans.

    A single Python boolean is an integer, as in zarr-python 2.17.
    """
    items = selection if isinstance(selection, tuple) else (selection,)
    return any(_is_mask(item) for item in items)


def _is_mask(item: object) -> bool:
    if isinstance(item, list):
        first: object = item
        while isinstance(first, list) and first:
            first = first[0]
        return isinstance(first, bool | np.bool_) and _as_array(item).dtype == bool
    return getattr(getattr(item, "dtype", None), "kind", None) == "b"


def _as_array(item: object) -> NDArrayAny:
    try:
        return np.asarray(item)
    except ValueError:  # lists of different lengths
        return np.empty(0)


# --- what is selected -------------------------------------------------------------------------------------------------


def resolve_masks(selection: Selection, shape: Shape) -> MaskedSelection:
    """Resolve a selection that `has_mask` against an array's shape; raise ArrayIndexError if it does not fit."""
    items = [_regular(item) for item in (selection if isinstance(selection, tuple) else (selection,))]
    items = _expanded(items, len(shape))
    parts, points_shape = _parts(items, shape)
    axes = tuple([axis for axis, item in enumerate(parts) if isinstance(item, np.ndarray)])
    others = [item for item in items if item is None or isinstance(item, slice)]
    before = _before_points(items)
    place = sum([item is not None for item in others[:before]])
    sizes = iter([bounded_slice(item, n)[3] for item, n in zip(parts, shape, strict=True) if isinstance(item, slice)])
    lengths = [1 if item is None else next(sizes) for item in others]
    shape_found = (*lengths[:before], *points_shape, *lengths[before:])
    return MaskedSelection(parts, shape_found, points_axis(axes) if axes else None, place)


def _parts(items: list[Any], shape: Shape) -> tuple[Part, Shape]:
    """Return one item per dimension, arrays flattened to one dimension; and the shape they broadcast to together."""
    found: list[Any] = []
    arrays: list[NDArrayAny] = []
    for item in items:
        axis = len(found)
        if isinstance(item, np.ndarray) and item.dtype == bool:
            positions = _positions(item, shape, axis)
            arrays += positions
            found += positions if item.ndim else ()
        elif isinstance(item, np.ndarray):
            arrays.append(wrap_array(item, shape[axis]))
            found.append(arrays[-1])
        elif isinstance(item, slice):
            found.append(item)
    points_shape = _broadcast_shape(arrays)
    return tuple([_spread(item, points_shape) for item in found]), points_shape


def _regular(item: object) -> Any:
    """Return an item as a slice, None, an Ellipsis, or an array of booleans or integers."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, bool | np.bool_) or _is_mask(item):
        return np.asarray(item, dtype=bool)
    index = as_integer(item)
    found = integer_array(item) if index is None else np.asarray(index)
    if found is None:
        message = "unsupported selection item beside a mask"
        expected = "integer, slice, Ellipsis, None, integer or boolean array"
        raise ArrayIndexError(message, expected=expected, found=type(item).__name__)
    return found


def _consumed(item: object) -> int:
    """Return the number of array dimensions that an item selects from."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def _expanded(items: list[Any], ndim: int) -> list[Any]:
    """Return the items with full slices after the ellipsis or at the end; the ellipsis stays: it separates items."""
    places = [place for place, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1:
        raise ArrayIndexError("an index can only have a single ellipsis", found=len(places))
    used = sum(map(_consumed, items))
    if used > ndim:
        raise ArrayIndexError("too many indices for array", expected=ndim, found=used)
    place = places[0] + 1 if places else len(items)
    return [*items[:place], *([slice(None)] * (ndim - used)), *items[place:]]


def _positions(mask: NDArrayAny, shape: Shape, axis: int) -> list[NDArray[np.intp]]:
    """Return the positions where a mask is True, per dimension; a 0-d mask has one position or none."""
    expected = shape[axis : axis + mask.ndim]
    if mask.shape != expected:
        message = "boolean array does not have the lengths of the dimensions that it selects from"
        raise ArrayIndexError(message, expected=expected, found=mask.shape)
    return list(np.nonzero(mask)) if mask.ndim else [np.flatnonzero(mask)]


def _broadcast_shape(arrays: Iterable[NDArrayAny]) -> Shape:
    shapes = [array.shape for array in arrays]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ArrayIndexError("the arrays of a selection do not broadcast together", found=shapes) from error


def _spread(item: Any, shape: Shape) -> Any:
    return np.broadcast_to(item, shape).reshape(-1) if isinstance(item, np.ndarray) else item


def _before_points(items: list[Any]) -> int:
    """Return the number of slices and new axes before the points in the result."""
    places = [place for place, item in enumerate(items) if isinstance(item, np.ndarray)]
    if places[-1] - places[0] + 1 != len(places):
        return 0
    return sum([item is not Ellipsis for item in items[: places[0]]])
