"""The `bytes` codec of Zarr v3: elements in C order, in the byte order of its configuration."""

from __future__ import annotations

import sys
from math import prod
from typing import Any, Literal

import numpy as np

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register, size_of, wrong_size
from zarrds.errors import BadCompressorError

__all__ = ["BytesSerializer", "flat_bytes"]

_ORDERS: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}


class BytesSerializer:
    """Serializer that stores the elements of an array as they are in memory, or with their bytes swapped.

    `native`: the stored bytes equal those in memory, so a compressor may decode directly into the array.
    """

    def __init__(self, array_spec: ArraySpec, endian: str | None) -> None:
        self._array_spec = array_spec
        self._stored = stored_dtype(array_spec.dtype, endian)
        self._swapped = endian is not None and endian != sys.byteorder and _swaps_bits(array_spec.dtype)
        self.native = self._stored == array_spec.dtype and not self._swapped
        self.encoded_size: int | None = prod(array_spec.shape) * array_spec.dtype.itemsize

    def encode(self, array: NDArrayAny) -> Buf:
        """Return the bytes of an array, without a copy if they are contiguous and in the stored byte order."""
        if self._swapped:
            array = _bits(np.ascontiguousarray(array)).byteswap()
        else:
            array = np.asarray(array, self._stored, order="C")
        return flat_bytes(array)

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Return the array of these bytes, whose number must be exact; `out` is used if bytes must be swapped."""
        assert self.encoded_size is not None
        found = size_of(data)
        if found != self.encoded_size:
            raise wrong_size(self.encoded_size, found)
        dtype, shape = self._array_spec.dtype, self._array_spec.shape
        if not found:
            return np.zeros(shape, dtype)
        if self._swapped:
            return np.frombuffer(data, f"u{dtype.itemsize}").byteswap().view(dtype).reshape(shape)
        array = np.frombuffer(data, self._stored).reshape(shape)
        if self.native:
            return array
        if out is None:
            return array.astype(dtype)
        out[...] = array
        return out


def stored_dtype(dtype: np.dtype[Any], endian: str | None) -> np.dtype[Any]:
    """Return the dtype with the stored byte order; numbers of several bytes need an `endian`."""
    if dtype.hasobject:
        raise BadCompressorError("objects have no bytes", codec="bytes", hint="use 'vlen-utf8' or 'vlen-bytes'")
    if endian is None:
        if dtype.kind in "iufcMmU" and dtype.itemsize > 1:
            raise BadCompressorError("byte order is missing", codec="bytes", expected="endian 'little' or 'big'")
        return dtype
    return dtype.newbyteorder(_ORDERS[endian])


def flat_bytes(array: NDArrayAny) -> NDArrayAny:
    """Return the bytes of a C-contiguous array, without a copy."""
    if not array.size or not array.dtype.itemsize:
        return np.empty(0, np.uint8)
    return array.reshape(-1).view(np.uint8)


def _swaps_bits(dtype: np.dtype[Any]) -> bool:
    """Return whether bytes must be swapped by hand: numpy has no byte order for some dtypes, such as bfloat16."""
    return dtype.isbuiltin == 2 and dtype.itemsize > 1


def _bits(array: NDArrayAny) -> NDArrayAny:
    return array.view(f"u{array.dtype.itemsize}")


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> BytesSerializer:
    check_members(configuration, ("endian",))
    endian = configuration.get("endian")
    if endian is not None and endian not in _ORDERS:
        raise BadCompressorError("unknown byte order", codec="bytes", expected="'little' or 'big'", found=repr(endian))
    return BytesSerializer(array_spec, endian)


register("bytes", CodecKind.SERIALIZER, _make)
