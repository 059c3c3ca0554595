"""Chunks that users give for some dimensions only, by the number of an axis or the name of a dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zarrds.core import Array
from zarrds.errors import ArgumentError

__all__ = ["chunks_of_axes", "dimension_names"]

_XARRAY_NAMES = "_ARRAY_DIMENSIONS"


def dimension_names(array: Array) -> tuple[Any, ...]:
    """Return the names of an array's dimensions; None for a dimension without a name.

    In Zarr v3 they are a member of the metadata; in Zarr v2 and N5 they are an attribute that xarray writes.
    """
    ndim = len(array.shape)
    found: Any = array.source().meta.dimension_names
    if found is None:
        found = array.attrs.get(_XARRAY_NAMES)
    if isinstance(found, (list, tuple)) and len(found) == ndim:
        return tuple(found)
    return (None,) * ndim


def chunks_of_axes(chunks: Any, names: Sequence[Any], default: Sequence[Any]) -> Any:
    """Return `chunks` with one item for each dimension if it is a mapping; return anything else unchanged.

    Parameters
    ----------
    chunks : object
        A mapping has dimension names or numbers of axes (negative ones count from the end) as keys.
    names : sequence of (str or None)
        Names of the dimensions.
    default : sequence
        Items of the dimensions that `chunks` does not name.

    Raises
    ------
    ValueError
        There is no such dimension, one is named twice, or a sequence has too few or too many items.
    """
    ndim = len(names)
    if isinstance(chunks, Mapping):
        found = dict(enumerate(default))
        given: dict[int, Any] = {}
        for key, item in chunks.items():
            axis = _axis(key, names)
            if axis in given:
                raise ArgumentError(f"chunks for axis {axis} are given twice, as {given[axis]!r} and {key!r}")
            given[axis], found[axis] = key, item
        return tuple(found[axis] for axis in range(ndim))
    if isinstance(chunks, (tuple, list)) and len(chunks) != ndim:
        raise ArgumentError(f"chunks {chunks!r} are of {len(chunks)} dimensions, but the array has {ndim}")
    return chunks


def _axis(key: Any, names: Sequence[Any]) -> int:
    ndim = len(names)
    if isinstance(key, str) and key in names:
        if names.count(key) > 1:
            raise ArgumentError(f"several dimensions are called {key!r}; give the number of the axis")
        return names.index(key)
    if isinstance(key, (int, np.integer)) and key is not True and key is not False and -ndim <= key < ndim:
        return int(key) % ndim
    named = [name for name in names if name is not None]
    known = f"its dimensions are {', '.join(map(repr, named))}" if named else "its dimensions have no names"
    raise ArgumentError(f"there is no dimension {key!r} in an array of {ndim} dimensions; {known}")
