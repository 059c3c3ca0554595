"""The `bitround` codec of Zarr v3: keep the leading bits of numbers, so that they compress better.

Floating-point numbers keep their leading mantissa bits, integers those from the most significant bit that is set.
Decoding changes nothing. Registered in zarr-extensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register
from zarrds.errors import BadCompressorError

__all__ = ["BitroundFilter", "mantissa_bits"]

_MANTISSAS = {"float16": 10, "float32": 23, "float64": 52, "complex64": 23, "complex128": 52, "bfloat16": 7}


def mantissa_bits(dtype: np.dtype[Any]) -> int | None:
    """Return the number of mantissa bits of a floating-point or complex dtype; None for other dtypes."""
    return _MANTISSAS.get(dtype.name)


class BitroundFilter:
    """Filter that rounds numbers to `keepbits` bits, halves to the even neighbour."""

    def __init__(self, array_spec: ArraySpec, keepbits: int) -> None:
        self.makes = array_spec
        self._keepbits = keepbits
        self._mantissa = mantissa_bits(array_spec.dtype)
        if self._mantissa is None and array_spec.dtype.kind not in "iumM":
            raise BadCompressorError(
                "bitround rounds numbers", codec="bitround", expected="integers or floats", found=str(array_spec.dtype)
            )

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the rounded array."""
        array = np.ascontiguousarray(array)
        if self._mantissa is not None:
            return self._rounded_floats(array, self._mantissa)
        whole = array.view(np.int64) if array.dtype.kind in "mM" else array
        return _rounded_integers(whole, self._keepbits).view(array.dtype)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the array as it is: rounded numbers are stored as numbers."""
        return array

    def _rounded_floats(self, array: NDArrayAny, mantissa: int) -> NDArrayAny:
        dropped = mantissa - self._keepbits
        if dropped <= 0:
            return array
        itemsize = array.dtype.itemsize // (2 if array.dtype.kind == "c" else 1)
        bits = array.reshape(-1).view(f"u{itemsize}")
        one, exponent = bits.dtype.type(1), bits.dtype.type(((1 << (8 * itemsize - 1 - mantissa)) - 1) << mantissa)
        odd = (bits >> bits.dtype.type(dropped)) & one
        rounded = (bits + bits.dtype.type((1 << (dropped - 1)) - 1) + odd) & ~bits.dtype.type((1 << dropped) - 1)
        is_finite = (bits & exponent) != exponent  # the bits of a NaN are not rounded, it could become infinity
        return np.where(is_finite, rounded, bits).view(array.dtype).reshape(array.shape)


def _rounded_integers(array: NDArrayAny, keepbits: int) -> NDArrayAny:
    """Round the magnitudes of integers; where the rounded value does not fit the dtype, cut the bits off instead."""
    itemsize, is_signed = array.dtype.itemsize, array.dtype.kind == "i"
    if keepbits >= 8 * itemsize:
        return array
    magnitude = np.abs(array).view(f"u{itemsize}")  # that of the smallest integer is itself, the right bits
    word = magnitude.dtype.type
    mask = magnitude  # becomes ones from the most significant bit that is set downwards, then the bits to drop
    for shift in (1, 2, 4, 8, 16, 32):
        if shift < 8 * itemsize:
            mask = mask | mask >> word(shift)
    mask = mask >> word(keepbits)
    is_odd = (magnitude & (mask + word(1)) != 0).astype(magnitude.dtype)
    half = np.where(mask != 0, (mask >> word(1)) + is_odd, word(0))
    cut, rounded = magnitude & ~mask, (magnitude + half) & ~mask
    largest = word(np.iinfo(array.dtype).max)
    rounded = np.where((rounded < cut) | (rounded > largest), cut, rounded)
    signed: NDArrayAny = rounded.view(array.dtype)
    return np.where(array < 0, -signed, signed) if is_signed else signed


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> BitroundFilter:
    check_members(configuration, ("keepbits",))
    keepbits = configuration.get("keepbits")
    if type(keepbits) is not int or keepbits < 1:
        raise BadCompressorError(
            "invalid number of bits", codec="bitround", expected="keepbits, an integer of at least 1", found=keepbits
        )
    return BitroundFilter(array_spec, keepbits)


register("bitround", CodecKind.FILTER, _make)
