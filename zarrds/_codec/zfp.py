"""Values of zfp, checked before its decoder sees them: it believes all that it reads, and reads on past the end.

A value starts with a header: "zfp", a version, type and shape of the array, the mode. See `decode`.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numcodecs.abc import Codec

from zarrds._codec.links import size_of
from zarrds._types import Buf, NDArrayAny, Shape
from zarrds.errors import ChunkDecodeError

__all__ = ["decode"]

_HEADER_BITS, _LONG_HEADER_BITS = 32 + 52 + 12, 32 + 52 + 64
_DTYPES = ("i4", "i8", "f4", "f8")
_RATES, _LONG = 2048, 4095  # modes below the first are a number of bits for each block; the other is followed by more


class _Header(NamedTuple):
    """What a value says of itself: the shape in the order of C, and the bits of each block."""

    shape: Shape
    dtype: np.dtype[Any]
    least: int
    most: int


def decode(codec: Codec, data: Buf, most: int) -> NDArrayAny:
    """Array of a value, of at most that many bytes; ChunkDecodeError when it is cut off, or not one of zfp."""
    header = _header(data)
    nbytes = prod(header.shape) * header.dtype.itemsize
    if nbytes > most:
        raise ChunkDecodeError("value is too large", expected=f"at most {most} bytes decoded", found=f"{nbytes} bytes")
    longest = _longest(header)
    missing = max(0, longest - size_of(data))
    if not missing:
        return np.asarray(codec.decode(data))
    if header.least == header.most:
        raise ChunkDecodeError("value is cut off", expected=f"{longest} bytes", found=size_of(data))
    # nothing says how long a value must be: one that is whole does not care what comes after it
    found = np.asarray(codec.decode(bytes(data) + bytes(missing)))
    again = np.asarray(codec.decode(bytes(data) + b"\xff" * missing))
    if found.tobytes() != again.tobytes():
        raise ChunkDecodeError("value is cut off", found=f"{size_of(data)} bytes")
    return found


def _header(data: Buf) -> _Header:
    head = bytes(memoryview(data).cast("B")[: -(-_LONG_HEADER_BITS // 8)])
    bits = int.from_bytes(head, "little")
    if len(head) < _HEADER_BITS // 8 or head[:3] != b"zfp":
        raise ChunkDecodeError("value has no header of zfp", found=head[:4])
    meta, mode = bits >> 32 & 2**52 - 1, bits >> 84 & _LONG
    kind, ndim, lengths = meta & 3, (meta >> 2 & 3) + 1, meta >> 4
    each = 48 // ndim  # bits of a length, the fastest dimension first
    shape = tuple((lengths >> each * axis & 2**each - 1) + 1 for axis in range(ndim))
    least, most = (mode + 1,) * 2 if mode < _RATES else (1, 2**15)
    if mode == _LONG:
        least, most = (bits >> 96 & 2**15 - 1) + 1, (bits >> 111 & 2**15 - 1) + 1
    return _Header(shape[::-1], np.dtype(_DTYPES[kind]), least, most)


def _longest(header: _Header) -> int:
    """Bytes beyond which the decoder does not read: all of a value at a fixed rate, the most it may have otherwise."""
    values: int = 4 ** len(header.shape)
    blocks = prod(-(-length // 4) for length in header.shape)
    if header.least == header.most:
        return -(-(_HEADER_BITS + blocks * header.most) // 8)
    each = 64 + values * (8 * header.dtype.itemsize + 1)  # an exponent, then bit planes and what groups them
    return -(-(_LONG_HEADER_BITS + blocks * max(each, header.least)) // 64) * 8
