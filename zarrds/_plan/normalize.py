"""Normalise what the user put between brackets: fields split off, ellipsis expanded, integers within bounds.

Nothing here depends on chunks. The two predicates decide which kind of selection plain brackets mean.
"""

from __future__ import annotations

from operator import index as to_index
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zarrds._base.types import NDArrayAny
from zarrds.errors import ArgumentTypeError, ArrayIndexError, BoundsCheckError, NegativeStepError, ZeroStepError

__all__ = [
    "Selection",
    "as_integer",
    "bounded_slice",
    "expand_selection",
    "integer_array",
    "is_pure_fancy_indexing",
    "is_pure_orthogonal_indexing",
    "pop_fields",
    "wrap_array",
    "wrap_integer",
]

Selection: TypeAlias = Any
"""A selection as the user gives it: any object, or a tuple of them."""


def expand_selection(selection: Selection, ndim: int) -> tuple[Any, ...]:
    """Return one item for each of `ndim` dimensions: the ellipsis, or the missing end, becomes full slices."""
    items = selection if isinstance(selection, tuple) else (selection,)
    for item in items:  # a loop, because every selection comes through here, and most have nothing to expand
        if item is Ellipsis:
            break
    else:
        if len(items) == ndim:
            return items
    places = [place for place, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1:
        raise ArrayIndexError("an index can only have a single ellipsis", found=len(places))
    missing = ndim - len(items) + len(places)
    if missing < 0:
        raise ArrayIndexError("too many indices for array", expected=ndim, found=len(items) - len(places))
    place = places[0] if places else len(items)
    return (*items[:place], *([slice(None)] * missing), *items[place + 1 :])


def as_integer(item: object) -> int | None:
    """Return the integer that an item represents, or None: numpy integers and 0-d integer arrays count.

    Python's booleans count too, as in zarr-python 2.17; numpy's do not.
    """
    if isinstance(item, np.bool_) or (isinstance(item, np.ndarray) and item.ndim):
        return None
    try:
        return to_index(item)  # type: ignore[arg-type]
    except TypeError:
        return None


def wrap_integer(index: int, length: int) -> int:
    """Return the same position, counted from the start."""
    if 0 <= index < length:
        return index
    if -length <= index < 0:
        return index + length
    raise BoundsCheckError(f"index out of bounds for dimension with length {length}", found=index)


def wrap_array(index: NDArrayAny, length: int) -> NDArray[np.intp]:
    """Return the same positions, counted from the start; the argument is not changed."""
    if index.size == 0:
        return np.empty(index.shape, dtype=np.intp)
    low, high = int(index.min()), int(index.max())
    if low < -length or high >= length:
        found = low if low < -length else high
        raise BoundsCheckError(f"index out of bounds for dimension with length {length}", found=found)
    wrapped = index.astype(np.intp, copy=False)
    return wrapped if low >= 0 else np.where(wrapped < 0, wrapped + length, wrapped)


def bounded_slice(item: slice, length: int) -> tuple[int, int, int, int]:
    """Return start, stop, step and number of elements of a slice, cut to the dimension as numpy does."""
    try:
        if item.step is not None and item.step < 1:
            to_index(item.step)  # a fraction is no step at all
            raise (NegativeStepError if item.step else ZeroStepError)(found=item)
        start, stop, step = item.indices(length)
    except TypeError:
        raise ArgumentTypeError("the start, stop and step of a slice are integers or None", found=item) from None
    if stop <= start:
        return start, start, step, 0
    return start, stop, step, (stop - start - 1) // step + 1


# --- fields of structured arrays ------------------------------------------------------------------------------


def pop_fields(selection: Selection) -> tuple[str | list[str] | None, Selection]:
    """Split field names off a selection.

    A single name is returned as str, several names or a list of them as list. Without names the selection is returned
    unchanged; names alone select everything.
    """
    if not isinstance(selection, tuple):
        if not _is_names(selection):
            return None, selection
        return (selection if isinstance(selection, str) else list(selection)), Ellipsis
    named = [item for item in selection if _is_names(item)]
    if not named:
        return None, selection
    rest = tuple(item for item in selection if not _is_names(item))
    names = [name for item in named for name in ([item] if isinstance(item, str) else item)]
    fields = names[0] if len(named) == 1 and isinstance(named[0], str) else names
    if not rest:
        return fields, Ellipsis
    return fields, rest[0] if len(rest) == 1 else rest


def _is_names(item: object) -> bool:
    if type(item) is list:
        return bool(item) and all(isinstance(name, str) for name in item)
    return isinstance(item, str)


# --- what plain brackets mean ---------------------------------------------------------------------------------


BASIC_TYPES = frozenset({int, slice, type(Ellipsis)})


def is_basic(selection: Selection) -> bool:
    """Return whether a selection has only Python ints, slices and an Ellipsis: a fast test for the common case."""
    if type(selection) is not tuple:
        return type(selection) in BASIC_TYPES
    for item in selection:  # noqa: SIM110 (a loop, as this runs for each selection)
        if type(item) not in BASIC_TYPES:
            return False
    return True


def is_pure_fancy_indexing(selection: Selection, ndim: int) -> bool:
    """Return whether brackets mean a coordinate selection: integers and integer arrays only, one per dimension.

    At least one must be a list or an array; lists are flat and not empty. A list of booleans counts as integers here,
    as in zarr-python 2.17, and is then refused or taken for a mask by the coordinate selection; Boolean arrays do not.
    """
    items = selection if isinstance(selection, tuple) else (selection,)
    if len(items) != ndim:
        return False
    found_iterable = False
    for item in items:
        if _is_integer_array(item) or _is_integer_list(item):
            found_iterable = True
        elif not _is_integer(item):
            return False
    return found_iterable


def is_pure_orthogonal_indexing(selection: Selection, ndim: int) -> bool:
    """Return whether brackets mean an orthogonal selection: one integer list or array, the rest slices or integers.

    There is one item for each dimension, without an ellipsis, or only the list or array. The caller must test
    `is_pure_fancy_indexing` first.
    """
    items = selection if isinstance(selection, tuple) else (selection,)
    if len(items) != ndim and (len(items) != 1 or not ndim):
        return False
    found = 0
    for item in items:
        if _is_integer_array(item) or _is_integer_list(item):
            found += 1
        elif not (isinstance(item, slice) or _is_integer(item)):
            return False
    return found == 1


def _is_integer(item: object) -> bool:
    return isinstance(item, int | np.integer)


def _is_integer_list(item: object) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(member, int | np.integer) for member in item)


def _is_integer_array(item: object) -> bool:
    return isinstance(item, np.ndarray) and item.dtype.kind in "iu"


def integer_array(item: object) -> NDArrayAny | None:
    """Return an item as an array of integers, or None if it is not one; an empty sequence counts as one."""
    try:
        found = np.asarray(item)
    except ValueError:
        return None
    if found.dtype.kind in "iu":
        return found
    return found.astype(np.intp) if found.size == 0 and not isinstance(item, np.ndarray) else None
