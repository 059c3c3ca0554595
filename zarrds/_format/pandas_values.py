"""Convert pandas values to numpy arrays; raise, with a cure in the message, if numpy has no equivalent.

pandas is not imported: its objects are recognised by the module of their type.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds.errors import DTypeNotSupportedError, MissingValueError

__all__ = ["as_numpy", "is_of_pandas"]

DType = np.dtype[Any]


def is_of_pandas(value: object) -> bool:
    """Return whether a value is an object of pandas: Series, index, frame, extension array, Timestamp."""
    return type(value).__module__.partition(".")[0] == "pandas"


def as_numpy(value: Any, target: DType | None = None) -> tuple[NDArrayAny, Any]:
    """Convert an object of pandas to a numpy array; also return the dtype that a new array of these values has.

    Parameters
    ----------
    value : object
        An object that `is_of_pandas`.
    target : dtype, optional
        Dtype of the array for the values. A missing value becomes None among objects, NaN among floats.

    Returns
    -------
    ndarray, dtype or type
        The values; and their dtype, which is `str` for texts of any length.

    Raises
    ------
    MissingValueError
        A value is missing, and the numpy dtype has no missing value.
    DTypeNotSupportedError
        numpy has no dtype for such values.
    """
    if getattr(value, "ndim", 0) == 2:
        return _of_frame(value, target)
    if not hasattr(value, "dtype"):
        return _of_scalar(value, target)
    dtype = value.dtype
    if isinstance(dtype, np.dtype):
        return np.asarray(value), dtype
    convert = _CONVERTERS.get(type(dtype).__name__, _of_extension)
    array, found = convert(value, dtype, target)
    return array, array.dtype if found is None else found


def _of_frame(frame: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    """Return the columns side by side, in their common dtype."""
    if not frame.shape[1]:
        return np.asarray(frame), np.asarray(frame).dtype
    columns = [as_numpy(frame.iloc[:, number], target) for number in range(frame.shape[1])]
    is_text = all(dtype is str for _, dtype in columns)
    found = np.stack([array for array, _ in columns], axis=1)
    return found, str if is_text else found.dtype


def _of_scalar(value: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    """Convert a Timestamp, a Timedelta or a missing value."""
    if getattr(value, "tzinfo", None) is not None:
        raise _with_zone(value)
    name = type(value).__name__
    if name in ("NAType", "NaTType") and not _is(target, "O" if name == "NAType" else "OMm"):
        if _is(target, "fc"):
            return np.asarray(np.nan), np.dtype(float)
        raise _missing(f"pandas.{name[:-4]}", "use a value of the dtype, or numpy.nan")
    for method in ("to_datetime64", "to_timedelta64"):
        if hasattr(value, method):
            found = np.asarray(getattr(value, method)())
            return found, found.dtype
    found = np.empty((), dtype=object)
    found[()] = None if name == "NAType" else value
    return found, found.dtype


def _is(target: DType | None, kinds: str, *, none: bool = False) -> bool:
    """Return whether the target is of one of these kinds; `none` is the answer if there is no target."""
    return none if target is None else target.kind in kinds


def _missing(what: str, hint: str) -> MissingValueError:
    return MissingValueError("numpy has no missing value of this dtype", found=what, hint=hint)


# --- dtypes of pandas -------------------------------------------------------------------------------------------------


def _of_text(value: Any, dtype: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    missing = np.asarray(value.isna())
    found = np.empty(len(value), dtype=object)
    found[:] = [None if gone else str(text) for text, gone in zip(value, missing, strict=True)]
    if missing.any() and not _is(target, "O"):
        raise _missing(f"missing texts, dtype {dtype}", 'fill them first, as in .fillna("")')
    return found, str


def _of_masked(value: Any, dtype: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    """Convert nullable numbers and booleans, stored by numpy or Arrow."""
    plain = np.dtype(dtype.numpy_dtype)
    if not value.isna().any():
        return value.to_numpy(dtype=plain), plain
    if plain.kind == "f" and _is(target, "fc", none=True):
        return value.to_numpy(dtype=plain, na_value=np.nan), plain
    if _is(target, "fc"):
        return value.to_numpy(dtype=float, na_value=np.nan), np.dtype(float)
    if _is(target, "O"):
        return value.to_numpy(dtype=object, na_value=None), np.dtype(object)
    raise _missing(
        f"missing values, dtype {dtype}", 'fill them first, as in .fillna(0), or make them floats: .astype("Float64")'
    )


def _of_categories(value: Any, dtype: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    """Return the category of each item."""
    categories, found = as_numpy(dtype.categories, target)
    codes = np.asarray(value.cat.codes if hasattr(value, "cat") else value.codes)
    is_missing = codes < 0
    if not is_missing.any():
        return categories[codes], found
    nothing = {"f": np.nan, "c": np.nan, "M": np.datetime64("NaT", "ns"), "m": np.timedelta64("NaT", "ns")}.get(
        categories.dtype.kind
    )
    if nothing is None and not _is(target, "O"):
        raise _missing("missing categories", "fill them first, as in .fillna(one_of_the_categories)")
    result = np.empty(codes.shape, object if nothing is None else categories.dtype)
    result[~is_missing] = categories[codes[~is_missing]]
    result[is_missing] = nothing
    return result, None if nothing is None else found


def _of_zone(value: Any, dtype: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    raise _with_zone(dtype)


def _with_zone(found: Any) -> DTypeNotSupportedError:
    return DTypeNotSupportedError(
        "numpy's dates have no time zone",
        found=str(found),
        hint="take it off first: .tz_convert(None) for UTC, .tz_localize(None) for local time (.dt of a Series)",
    )


def _of_sparse(value: Any, dtype: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    return np.asarray(value), None


def _of_extension(value: Any, dtype: Any, target: DType | None) -> tuple[NDArrayAny, Any]:
    """Convert any other dtype as numpy does, unless the result is an array of Python objects."""
    if getattr(dtype, "kind", "O") in "iufb" and hasattr(dtype, "numpy_dtype"):
        return _of_masked(value, dtype, target)
    if getattr(dtype, "type", None) is str:
        return _of_text(value, dtype, target)
    found = np.asarray(value)
    if found.dtype.kind == "O" and not _is(target, "O"):
        hint = "convert them first: .astype(str), .to_timestamp() of periods, .left and .right of intervals"
        raise DTypeNotSupportedError("numpy has no dtype for such values", found=str(dtype), hint=hint)
    return found, None


_CONVERTERS = {
    "StringDtype": _of_text,
    "CategoricalDtype": _of_categories,
    "DatetimeTZDtype": _of_zone,
    "SparseDtype": _of_sparse,
}
