"""Convert fill values for Zarr v3: of the stored array, and CF's ``_FillValue``, an attribute in xarray's form.

In Zarr v2 both are the same: CF's fill value is that of the array.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from typing import Any

import numpy as np

from xarray_backend._compat import is_vlen_text

__all__ = ["array_fill", "fill_as_number_or_text", "fill_from_attribute", "fill_to_attribute"]


def fill_to_attribute(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return CF's fill value as a JSON value: floats, and values made of bytes, in base64."""
    if dtype.kind == "c":
        number = complex(value)
        return [fill_to_attribute(part, np.dtype("f8")) for part in (number.real, number.imag)]
    if dtype.kind == "f":
        return b64encode(struct.pack("<d", float(value))).decode()
    if dtype.kind == "S":
        return b64encode(value.encode() if isinstance(value, str) else bytes(value)).decode()
    return value.item() if isinstance(value, (np.ndarray, np.generic)) else value


def fill_as_number_or_text(value: Any) -> Any:
    """Return CF's fill value as an attribute of N5, whose arrays have none: NaN and infinity as text."""
    value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def fill_from_attribute(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return CF's fill value from its JSON value."""
    if dtype.kind == "c" and isinstance(value, list):
        return complex(*(fill_from_attribute(part, np.dtype("f8")) for part in value))
    if dtype.kind == "f" and isinstance(value, str):
        return struct.unpack("<d", b64decode(value))[0]
    if dtype.kind == "S" and isinstance(value, str):
        return b64decode(value)
    return value


def array_fill(dtype: np.dtype[Any], given: Any, *, explicit: bool) -> Any:
    """Return the fill value of a new array: the given one, else NaN for floats, and zero or empty for others.

    An inherited fill value is ignored if it no longer fits the dtype.
    """
    if given is not None and (explicit or _fits(given, dtype)):
        return given
    if is_vlen_text(dtype):
        return ""
    return np.nan if dtype.kind == "f" else np.zeros((), dtype=dtype)[()]


def _fits(value: Any, dtype: np.dtype[Any]) -> bool:
    if is_vlen_text(dtype):
        return isinstance(value, str)
    if dtype.kind in "iu" and isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64)):
        return bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)
    return bool(np.can_cast(np.asarray(value).dtype, dtype, "same_kind"))
