"""Data types and fill values as documents of Zarr v2 have them, as ``zarr.meta`` of Zarr-Python 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zarrds._format import dtype_from_v2, dtype_to_v2, dumps, fill_from_v2, fill_of, fill_scalar, fill_to_v2, loads, v2

__all__ = [
    "ZARR_FORMAT",
    "decode_array_metadata",
    "decode_dtype",
    "decode_fill_value",
    "decode_group_metadata",
    "encode_array_metadata",
    "encode_dtype",
    "encode_fill_value",
    "encode_group_metadata",
    "parse_metadata",
]

ZARR_FORMAT = 2
"""The format that the documents of this module have."""


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


def parse_metadata(s: Any) -> Any:
    """Return the members of a document, which is bytes, str or a mapping of members; a mapping stays as it is.

    MetadataError is raised for text that is not JSON.

    Examples
    --------
    >>> parse_metadata(b'{"zarr_format": 2}')
    {'zarr_format': 2}
    """
    if isinstance(s, Mapping):
        return s
    return loads(s.encode() if isinstance(s, str) else s, "document")


def decode_array_metadata(s: Any) -> dict[str, Any]:
    """Return the members of a document ``.zarray``, with tuples, a numpy data type and a fill value of that type.

    Parameters
    ----------
    s : bytes, str or dict
        The document; it is not changed.

    Raises
    ------
    MetadataError
        If it is not of Zarr v2, or a member is missing or wrong.

    Examples
    --------
    >>> import zarrds
    >>> found = decode_array_metadata(zarrds.zeros((4, 6), chunks=2, dtype="i2").store[".zarray"])
    >>> found["shape"], found["dtype"], found["fill_value"]
    ((4, 6), dtype('int16'), np.int16(0))
    """
    members = parse_metadata(s)
    v2.array_from_document(members, v2.ARRAY_KEY)  # names what is wrong
    dtype = decode_dtype(members["dtype"])
    found = {name: members[name] for name in ("compressor", "order", "filters")}
    found |= {"zarr_format": ZARR_FORMAT, "shape": tuple(members["shape"]), "chunks": tuple(members["chunks"])}
    found |= {"dtype": dtype, "fill_value": decode_fill_value(members["fill_value"], dtype)}
    separator = members.get("dimension_separator")
    return found | ({"dimension_separator": separator} if separator else {})


def encode_array_metadata(meta: Mapping[str, Any]) -> bytes:
    """Return the document ``.zarray`` for members such as `decode_array_metadata` returns.

    KeyError names a member that is missing.

    Examples
    --------
    >>> import zarrds
    >>> document = zarrds.zeros((4, 6), chunks=2).store[".zarray"]
    >>> encode_array_metadata(decode_array_metadata(document)) == document
    True
    """
    dtype = np.dtype(meta["dtype"])
    document = {name: meta[name] for name in ("chunks", "compressor", "filters", "order")}
    document |= {"shape": tuple(meta["shape"]) + dtype.shape, "dtype": encode_dtype(dtype.base)}
    document |= {"fill_value": encode_fill_value(meta["fill_value"], dtype), "zarr_format": ZARR_FORMAT}
    separator = meta.get("dimension_separator")
    return dumps(document | ({"dimension_separator": separator} if separator else {}))


def decode_group_metadata(s: Any) -> dict[str, Any]:
    """Return the members of a document ``.zgroup``; MetadataError if it is not of Zarr v2.

    Examples
    --------
    >>> decode_group_metadata(b'{"zarr_format": 2}')
    {'zarr_format': 2}
    """
    v2.group_from_document(parse_metadata(s), v2.GROUP_KEY)
    return {"zarr_format": ZARR_FORMAT}


def encode_group_metadata(meta: Any = None) -> bytes:
    """Return the document ``.zgroup``; what is given is not looked at, as in Zarr-Python 2.

    Examples
    --------
    >>> encode_group_metadata()
    b'{\\n    "zarr_format": 2\\n}'
    """
    return dumps({"zarr_format": ZARR_FORMAT})
