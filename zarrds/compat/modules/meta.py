"""Data types and fill values as documents of Zarr v2 have them, as ``zarr.meta`` of Zarr-Python 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from zarrds._format import dtype_from_v2, dtype_to_v2, fill_from_v2, fill_of, fill_scalar, fill_to_v2

__all__ = ["decode_dtype", "decode_fill_value", "encode_dtype", "encode_fill_value"]


def encode_dtype(d: Any) -> Any:
    """Return the JSON value of a data type in a document of Zarr v2.

    Examples
    --------
    >>> import numpy as np
    >>> encode_dtype(np.dtype("i4"))
    '<i4'
    """
    return dtype_to_v2(np.dtype(d))


def decode_dtype(d: Any) -> np.dtype[Any]:
    """Return the data type that a document of Zarr v2 names.

    Examples
    --------
    >>> decode_dtype("<i4")
    dtype('int32')
    """
    found, inner = dtype_from_v2(d, "dtype")
    return np.dtype((found, inner)) if inner else found


def encode_fill_value(v: Any, dtype: Any, object_codec: Any = None) -> Any:
    """Return the JSON value of a fill value in a document of Zarr v2.

    Parameters
    ----------
    v : object
        Fill value; None if it is not defined.
    dtype : numpy.dtype
        Data type of the array.
    object_codec : object, optional
        Accepted as in Zarr-Python 2, and not needed.

    Examples
    --------
    >>> import numpy as np
    >>> encode_fill_value(float("nan"), np.dtype("f8"))
    'NaN'
    """
    if v is None:
        return None
    return fill_to_v2(fill_of(v, np.dtype(dtype)), np.dtype(dtype))


def decode_fill_value(v: Any, dtype: Any, object_codec: Any = None) -> Any:
    """Return the fill value that a document of Zarr v2 gives; the parameters are those of `encode_fill_value`.

    Examples
    --------
    >>> import numpy as np
    >>> decode_fill_value("NaN", np.dtype("f8"))
    np.float64(nan)
    """
    if v is None:
        return None
    return fill_scalar(fill_from_v2(v, np.dtype(dtype), "fill_value"), np.dtype(dtype))
