"""Check zfp values before decoding: the decoder trusts its input, and reads beyond the end of it.

A value starts with a header: "zfp", a version, type and shape of the array, the mode. See `decode`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numcodecs.abc import Codec

from zarrds._base.types import Buf, NDArrayAny, Shape
from zarrds._codec.registry import size_of
from zarrds.errors import ChunkDecodeError

__all__ = ["decode", "decode_padded", "longest_value", "with_expert_header"]

_HEADER_BITS, _LONG_HEADER_BITS = 32 + 52 + 12, 32 + 52 + 64
_DTYPES = ("i4", "i8", "f4", "f8")
_RATES, _LONG = 2048, 4095  # a mode below the first is the bits of a block; the other means that more bits follow


class _Header(NamedTuple):
    """Header of a value: shape in C order, and bits of each block."""

    shape: Shape
    dtype: np.dtype[Any]
    least: int
    most: int


def decode(codec: Codec, data: Buf, most: int) -> NDArrayAny:
    """Decode a value to an array of at most `most` bytes; raise ChunkDecodeError if it is truncated or not zfp."""
    header = _header(data)
    nbytes = prod(header.shape) * header.dtype.itemsize
    if nbytes > most:
        raise ChunkDecodeError("value is too large", expected=f"at most {most} bytes decoded", found=f"{nbytes} bytes")
    longest = _longest(header)
    if header.least == header.most and size_of(data) < longest:
        raise ChunkDecodeError("value is cut off", expected=f"{longest} bytes", found=size_of(data))
    return decode_padded(codec.decode, data, longest)


def decode_padded(decode: Callable[[Any], Any], data: Buf, longest: int) -> NDArrayAny:
    """Decode a value from which the decoder may read up to `longest` bytes; raise ChunkDecodeError if it is cut off.

    A value does not say how long it is: it is decoded with two paddings, as bytes after a complete value do not matter.
    """
    missing = longest - size_of(data)
    if missing <= 0:
        return np.asarray(decode(data))
    found = np.asarray(decode(bytes(data) + bytes(missing)))
    if found.tobytes() != np.asarray(decode(bytes(data) + b"\xff" * missing)).tobytes():
        raise ChunkDecodeError("value is cut off", found=f"{size_of(data)} bytes")
    return found


def _header(data: Buf) -> _Header:
    head = bytes(memoryview(data).cast("B")[: -(-_LONG_HEADER_BITS // 8)])
    bits = int.from_bytes(head, "little")
    if len(head) < _HEADER_BITS // 8 or head[:3] != b"zfp":
        raise ChunkDecodeError("value has no header of zfp", found=head[:4])
    meta, mode = bits >> 32 & 2**52 - 1, bits >> 84 & _LONG
    kind, ndim, lengths = meta & 3, (meta >> 2 & 3) + 1, meta >> 4
    each = 48 // ndim  # bits of each dimension's length, the fastest dimension first
    shape = tuple((lengths >> each * axis & 2**each - 1) + 1 for axis in range(ndim))
    least, most = (mode + 1,) * 2 if mode < _RATES else (1, 2**15)
    if mode == _LONG:
        least, most = (bits >> 96 & 2**15 - 1) + 1, (bits >> 111 & 2**15 - 1) + 1
    return _Header(shape[::-1], np.dtype(_DTYPES[kind]), least, most)


def with_expert_header(
    data: Buf, shape: Shape, dtype: np.dtype[Any], least: int, most: int, planes: int, exponent: int
) -> bytes:
    """Return a value without a header with one of the expert mode, which `zfpy.decompress_numpy` decodes.

    `least` and `most` are the bits of a block, `planes` the most bit planes, `exponent` that of the last plane.
    """
    each = 48 // len(shape)
    meta = _DTYPES.index(f"{dtype.kind}{dtype.itemsize}") | len(shape) - 1 << 2
    for axis, length in enumerate(reversed(shape)):
        meta |= length - 1 << 4 + each * axis
    mode = _LONG | least - 1 << 12 | most - 1 << 27 | planes - 1 << 42 | exponent + _EXPONENT_BIAS << 49
    bits = (
        int.from_bytes(_MAGIC, "little") | meta << 32 | mode << 84 | int.from_bytes(data, "little") << _LONG_HEADER_BITS
    )
    return bits.to_bytes(-(-(_LONG_HEADER_BITS + 8 * size_of(data)) // 64) * 8, "little")


_MAGIC = b"zfp\x05"
_EXPONENT_BIAS = 16495


def _longest(header: _Header) -> int:
    """Return the largest number of bytes that the decoder reads: exact at a fixed rate, else an upper bound."""
    if header.least == header.most:
        return -(-(_HEADER_BITS + _blocks(header.shape) * header.most) // 8)
    return longest_value(header.shape, header.dtype, header.least, _LONG_HEADER_BITS)


def longest_value(shape: Shape, dtype: np.dtype[Any], least: int, header_bits: int) -> int:
    """Return an upper bound of the bytes that the decoder reads, with at least `least` bits in each block."""
    values: int = 4 ** len(shape)
    each = 64 + values * (8 * dtype.itemsize + 1)  # an exponent, then bit planes with their group tests
    return -(-(header_bits + _blocks(shape) * max(each, least)) // 64) * 8


def _blocks(shape: Shape) -> int:
    return prod([-(-length // 4) for length in shape])
