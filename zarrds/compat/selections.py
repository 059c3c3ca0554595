"""Questions about what is between the brackets, as ``zarr.indexing`` of Zarr-Python 2 answers them."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from zarrds._base.types import Shape
from zarrds._plan import expand_selection

__all__ = [
    "ensure_tuple",
    "is_bool_array",
    "is_coordinate_selection",
    "is_integer",
    "is_integer_array",
    "is_integer_list",
    "is_mask_selection",
    "is_slice",
    "pop_fields",
    "replace_ellipsis",
]


def is_integer(x: Any) -> bool:
    """Return whether something is an integer of Python or numpy; truth values of Python are.

    Examples
    --------
    >>> is_integer(3), is_integer([3])
    (True, False)
    """
    return isinstance(x, numbers.Integral)


def is_integer_list(x: Any) -> bool:
    """Return whether something is a list of integers that is not empty.

    Examples
    --------
    >>> is_integer_list([3]), is_integer_list([])
    (True, False)
    """
    return isinstance(x, list) and bool(x) and all(is_integer(item) for item in x)


def is_integer_array(x: Any, ndim: int | None = None) -> bool:
    """Return whether something is an array of integers, with `ndim` dimensions if that is given.

    Examples
    --------
    >>> import numpy as np
    >>> is_integer_array(np.arange(3)), is_integer_array(np.arange(3), ndim=2)
    (True, False)
    """
    return _is_array(x, "iu", ndim) and not np.isscalar(x)


def is_bool_array(x: Any, ndim: int | None = None) -> bool:
    """Return whether something is an array of truth values, with `ndim` dimensions if that is given.

    Examples
    --------
    >>> import numpy as np
    >>> is_bool_array(np.ones(3, dtype=bool)), is_bool_array([True])
    (True, False)
    """
    return _is_array(x, "b", ndim)


def _is_array(x: Any, kinds: str, ndim: int | None) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind in kinds and (ndim is None or len(x.shape) == ndim)


def is_slice(s: Any) -> bool:
    """Return whether something is a slice.

    Examples
    --------
    >>> is_slice(slice(3)), is_slice(3)
    (True, False)
    """
    return isinstance(s, slice)


def ensure_tuple(v: Any) -> tuple[Any, ...]:
    """Return a tuple as it is, anything else as a tuple with this one item.

    Examples
    --------
    >>> ensure_tuple(3), ensure_tuple((3, 4))
    ((3,), (3, 4))
    """
    return v if isinstance(v, tuple) else (v,)


def is_coordinate_selection(selection: Any, array: Any) -> bool:
    """Return whether a tuple has one integer, or array of integers, for each dimension of an array.

    Examples
    --------
    >>> import zarrds
    >>> is_coordinate_selection((0, 1), zarrds.zeros((4, 6))), is_coordinate_selection((0,), zarrds.zeros((4, 6)))
    (True, False)
    """
    given = ensure_tuple(selection)
    return len(given) == len(array.shape) and all(is_integer(item) or is_integer_array(item) for item in given)


def is_mask_selection(selection: Any, array: Any) -> bool:
    """Return whether a tuple has one item, an array of truth values that has the shape of an array.

    Examples
    --------
    >>> import numpy as np
    >>> is_mask_selection((np.ones(3, dtype=bool),), np.arange(3))
    True
    """
    if not isinstance(selection, tuple) or len(selection) != 1:
        return False
    return is_bool_array(selection[0]) and tuple(selection[0].shape) == tuple(array.shape)


def pop_fields(selection: Any) -> tuple[Any, Any]:
    """Return the names of fields in a selection, and the selection without them.

    Examples
    --------
    >>> pop_fields(("a", 0, slice(3))), pop_fields(0)
    (('a', (0, slice(None, 3, None))), (None, 0))
    """
    if isinstance(selection, str):
        return selection, ()
    if not isinstance(selection, tuple):
        return None, selection
    names = [item for item in selection if isinstance(item, str)]
    others = tuple(item for item in selection if not isinstance(item, str))
    return names[0] if len(names) == 1 else names, others[0] if len(others) == 1 else others


def replace_ellipsis(selection: Any, shape: Shape) -> tuple[Any, ...]:
    """Return a selection with one item for each dimension: ``...`` and what is missing become whole slices.

    Raises
    ------
    ArrayIndexError
        If there is more than one ``...``, or more items than dimensions; an IndexError.

    Examples
    --------
    >>> replace_ellipsis((..., 0), (4, 6, 8))
    (slice(None, None, None), slice(None, None, None), 0)
    """
    return expand_selection(selection, len(shape))
