"""Prepare the values that users write: made arrays, cast and broadcast before anything is stored.

numpy's rules of assignment apply: what numpy would refuse raises here, with the exception numpy would raise.
"""

from __future__ import annotations

import numbers
import reprlib
from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny, Shape
from zarrds._engine.items import without_missing
from zarrds._format import as_numpy, is_of_pandas
from zarrds._plan import Plan, PointPlan
from zarrds.errors import ArgumentError, ArgumentRangeError, ArgumentTypeError, ZarrdsError

__all__ = ["array_of", "broadcast_value", "prepared"]

DType = np.dtype[Any]


def prepared(value: Any, dtype: DType, plan: Plan) -> Any:
    """Return the value for indexing by ``[out_part]``: 0-d, or the plan's work shape plus that of a sub-array dtype.

    An array-like that is sliced lazily (another chunked array, an h5py dataset) of exactly the selection's shape is
    passed on as it is.
    """
    try:
        return _prepared(value, dtype, plan)
    except ZarrdsError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise _refused(value, dtype, error) from error


def array_of(data: Any, dtype: Any = None) -> NDArrayAny:
    """Return data of any kind as an array of numpy; raise an error of ours if there is none for them."""
    try:
        return np.asanyarray(data, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise _refused(data, dtype, error) from error


def _refused(value: Any, dtype: Any, error: Exception) -> ZarrdsError:
    """Return the error for values that numpy refuses; like numpy's it is a TypeError, ValueError or OverflowError."""
    if isinstance(error, OverflowError):
        kind: type[ZarrdsError] = ArgumentRangeError
    else:
        kind = ArgumentTypeError if isinstance(error, TypeError) else ArgumentError
    if "inhomogeneous" in str(error) or "setting an array element with a sequence" in str(error):
        hint = "rows of different lengths need dtype='array:f8' or another item type, or rows of one length"
        return kind("the values have no rectangular shape", expected="rows of one length", hint=hint)
    expected = "values that numpy converts" if dtype is None else f"values that become {np.dtype(dtype)}"
    return kind(f"the values cannot be stored: {error}", expected=expected, found=_shown(value))


def _shown(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return reprlib.repr(value) if dtype is None else f"{type(value).__name__} of {dtype}"


def _prepared(value: Any, dtype: DType, plan: Plan) -> Any:
    base, inner = dtype.subdtype if dtype.subdtype is not None else (dtype, ())
    if not isinstance(value, np.ndarray):
        if is_of_pandas(value):
            return _prepared(_of_pandas(value, base), dtype, plan)
        if _is_lazy(value) and not inner and tuple(value.shape) == plan.result_shape == plan.work_shape:
            return value
        value = _as_items(value, plan.result_shape) if base.kind == "O" else _as_array(value, base)
        if value.ndim and not inner and not plan.result_shape:
            raise ArgumentError(f"a sequence of shape {value.shape} cannot be stored as one element")
    elif base.kind == "O" and not plan.result_shape and not inner:
        value = _one_item(value)
    if value.dtype.kind == "T":
        # among objects a text may be missing where their codec can say so, which is checked with the codec at hand
        value = value.astype(object) if base.kind == "O" and value.ndim else without_missing(value)
    if value.dtype != base and (value.dtype.kind in "OSUV" or base.kind in "OSUVMm"):
        # Casts that can fail must fail here; casts between numbers cannot, and are done chunk by chunk.
        value = value.astype(base)
    if value.ndim == 0 and not inner:
        return value
    return _broadcast(value, plan, inner)


def broadcast_value(value: Any, dtype: DType, shape: Shape) -> NDArrayAny:
    """Return the value as an array of `shape` plus that of a sub-array dtype, or 0-d."""
    base, inner = dtype.subdtype if dtype.subdtype is not None else (dtype, ())
    if not isinstance(value, np.ndarray):
        if is_of_pandas(value):
            return broadcast_value(_of_pandas(value, base), dtype, shape)
        value = _as_items(value, shape) if base.kind == "O" else _as_array(value, base)
    return value if value.ndim == 0 and not inner else _broadcast_to(value, shape + inner)


def _of_pandas(value: Any, dtype: DType) -> NDArrayAny:
    """Return an object of pandas as an array; among objects, Timestamps and the like keep their type."""
    if dtype.kind == "O" and not hasattr(value, "dtype") and not getattr(value, "ndim", 0):
        return _one_item(value)
    return as_numpy(value, dtype)[0]


def _broadcast(value: NDArrayAny, plan: Plan, inner: Shape) -> NDArrayAny:
    shape = plan.result_shape + inner
    if value.shape != shape:
        if isinstance(plan, PointPlan) and not inner and value.size == plan.work_shape[0]:
            return value.reshape(plan.work_shape)
        value = _broadcast_to(value, shape)
    work_shape = plan.work_shape + inner
    return value if shape == work_shape else value.reshape(work_shape)


def _broadcast_to(value: NDArrayAny, shape: Shape) -> NDArrayAny:
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = value[0]
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise ArgumentError(
            f"could not broadcast value of shape {value.shape} into selection of shape {shape}"
        ) from None


def _is_lazy(value: Any) -> bool:
    return (
        hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "__getitem__") and not np.isscalar(value)
    )


def _as_array(value: Any, dtype: DType) -> NDArrayAny:
    """Return scalars, records and sequences as an array of `dtype`; other array-likes unchanged."""
    if hasattr(value, "dtype") and not isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, list | range) or (isinstance(value, tuple) and dtype.names is None):
        return np.array(value, dtype=dtype)
    if isinstance(value, str | bytes | bytearray | tuple | np.generic | numbers.Number) or value is None:
        one = np.empty((), dtype)
        one[()] = value
        return one
    return np.asarray(value)


# --- objects ----------------------------------------------------------------------------------------------------------


def _one_item(value: Any) -> NDArrayAny:
    """Return a 0-d array with `value` as its one item; the item of a 0-d array is taken out first."""
    item = np.empty((), dtype=object)
    if isinstance(value, np.generic):
        value = np.asarray(value).astype(object)[()]  # the Python value: codecs of text refuse numpy's str
    item[()] = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return item


def _as_items(value: Any, shape: Shape) -> NDArrayAny:
    """Return an object array: sequences hold the items, nested as deep as the selection; other values are one item."""
    if not shape:
        return _one_item(value)
    if isinstance(value, list | tuple | range):
        items = np.empty(shape, dtype=object) if _has_shape(value, shape) else np.empty(len(value), dtype=object)
        _put_items(items, value)
        return items
    return np.asarray(value, dtype=object) if _is_lazy(value) else _one_item(value)


def _has_shape(value: Any, shape: Shape) -> bool:
    if not shape:
        return True
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != shape[0]:
        return False
    return all(_has_shape(member, shape[1:]) for member in value) if len(shape) > 1 else True


def _put_items(items: NDArrayAny, value: Any) -> None:
    for index, member in enumerate(value):
        if items.ndim > 1:
            _put_items(items[index], member)
        else:
            items[index] = member  # one by one: numpy would turn a list of equal arrays into a matrix
