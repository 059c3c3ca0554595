"""Fill values of structured dtypes with object fields, which only the object codec can encode and decode.

These functions pass all other fill values on to `zarrds._format.fills`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from struct import pack
from typing import Any

import numpy as np
from numcodecs.compat import ensure_bytes

from zarrds._base.types import NDArrayAny
from zarrds._codec.table import PICKLE_HINT, get_codec
from zarrds._format import ChunkSpec, CodecSpec, Fill, data_type_name, fill_of, fill_of_v3, fill_scalar
from zarrds.errors import FillTypeError, MetadataError

__all__ = ["decode_fill", "encode_fill", "is_all_fill", "new_fill", "put_fill"]

DType = np.dtype[Any]


def encode_fill(value: Any, dtype: DType, filters: tuple[CodecSpec, ...]) -> Fill:
    """Return the fill value of a user for arrays of `dtype`; raise MetadataError (a ValueError) if it does not fit."""
    if value is None or isinstance(value, Fill) or dtype.names is None or not dtype.hasobject:
        return fill_of(value, dtype)
    try:
        _record(value, dtype)
        fill = Fill(text=b64encode(ensure_bytes(get_codec(filters[0]).encode(value))).decode("ascii"))
        if filters[0].name != "pickle":  # which may not be decoded
            _record(_decoded(fill, filters[0]), dtype)
    except (TypeError, ValueError, OverflowError) as error:
        kind = FillTypeError if isinstance(error, TypeError) else MetadataError
        raise kind(
            f"fill value does not fit the dtype or its object codec: {error}",
            expected=f"value for {dtype}",
            found=value,
        ) from error
    return fill


def new_fill(value: Any, chunk: ChunkSpec) -> Fill:
    """Return the fill value of a user for a chunk spec; raise MetadataError (a ValueError) if it does not fit."""
    if chunk.serializer is None:
        return encode_fill(value, chunk.dtype, chunk.filters)
    return fill_of_v3(value, chunk.dtype, data_type_name(chunk))


def decode_fill(spec: ChunkSpec) -> Any:
    """Return the fill value as numpy scalar or, for object dtype, as Python value; None if it is undefined."""
    if spec.fill.text is None or spec.dtype.names is None:
        return fill_scalar(spec.fill, spec.dtype)
    codec = spec.filters[0]
    try:
        return _record(_decoded(spec.fill, codec), spec.dtype)
    except Exception as error:
        raise MetadataError(
            f"fill value cannot be decoded: {error}",
            codec=codec.name,
            hint=PICKLE_HINT if codec.name == "pickle" else None,
        ) from error


def _decoded(fill: Fill, codec: CodecSpec) -> Any:
    found = get_codec(codec).decode(b64decode(fill.text or ""))
    return found[()] if isinstance(found, np.ndarray) and found.ndim == 0 else found


def _record(value: Any, dtype: DType) -> Any:
    record = np.zeros((), dtype)
    record[()] = tuple(value) if isinstance(value, list) else value
    return record[()]


def put_fill(out: NDArrayAny, part: Any, fill: Any) -> None:
    """Set a region to the fill value, also when that is a sequence in an object array or a structured scalar."""
    if out.dtype == object and not np.isscalar(fill) and fill is not None:
        holder = np.empty((), dtype=object)
        holder[()] = fill
        out[(*part, ...)] = holder  # without the ellipsis, a single element would become the array itself, not its item
    else:
        out[part] = fill


def is_all_fill(chunk: NDArrayAny, fill: Any) -> bool:
    """Return whether every element equals the fill value bit by bit: -0.0 is not 0.0, and NaNs differ by payload."""
    dtype = chunk.dtype
    if dtype.kind == "O":
        return all(_is_same_item(item, fill) for item in chunk.flat)
    if dtype.hasobject:
        return False
    if chunk.size == 0:
        return True
    one = np.asarray(fill, dtype).reshape(1)
    if dtype.itemsize not in (1, 2, 4, 8):
        first = np.ascontiguousarray(chunk[(slice(0, 1),) * chunk.ndim])
        return first.tobytes() == one.tobytes() and chunk.tobytes() == one.tobytes() * chunk.size
    bits = np.dtype(f"u{dtype.itemsize}")
    seen, wanted = chunk.view(bits), one.view(bits)[0]
    # first and last element first: they differ from the fill value in most chunks with data
    ends = seen[(0,) * chunk.ndim], seen[(-1,) * chunk.ndim]
    return bool(ends[0] == wanted and ends[1] == wanted and (seen == wanted).all())


def _is_same_item(item: Any, fill: Any) -> bool:
    """Return whether an object is stored like the fill value; ``==`` is not enough, as ``[True] == [1]``."""
    if type(item) is not type(fill):
        return False
    if isinstance(fill, float):
        return pack("<d", item) == pack("<d", fill)
    if isinstance(fill, list | tuple):
        return len(item) == len(fill) and all(map(_is_same_item, item, fill))
    if isinstance(fill, dict):
        return list(item) == list(fill) and all(_is_same_item(item[name], fill[name]) for name in fill)
    return bool(item == fill)
