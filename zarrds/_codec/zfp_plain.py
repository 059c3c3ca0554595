"""The `zfp` codec of Zarr v3: compressed arrays of numbers without a header. Registered in zarr-extensions.

Needs the package zfpy (extra ``zfpy``).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register, size_of, wrong_size
from zarrds._codec.zfp import decode_padded, longest_value, with_expert_header
from zarrds._format import ML_NAMES, integer_limits
from zarrds.errors import BadCompressorError, ChunkEncodeError

__all__ = ["ZfpSerializer"]

_MODES = {
    "reversible": (),
    "fixed_accuracy": ("tolerance",),
    "fixed_rate": ("rate",),
    "fixed_precision": ("precision",),
    "expert": ("minbits", "maxbits", "maxprec", "minexp"),
}
_NATIVE = {"int32": "int32", "int64": "int64", "float32": "float", "float64": "double"}
_SMALL_BITS = 16
"""Bits of the largest integers that are promoted to 32 bits."""


def _word(dtype: np.dtype[Any]) -> str | None:
    """Return the name of the data type of zfp that stores elements of a dtype; None if there is none."""
    if dtype.name in _NATIVE:
        return dtype.name
    limits = integer_limits(dtype)
    if limits is not None:
        return "int64" if dtype.name == "uint64" else "int32"
    if dtype.kind in "mM":
        return "int64"
    return "float32" if dtype.name == "float16" or dtype.name in ML_NAMES else None


class ZfpSerializer:
    """Serializer of zfp streams; small data types are promoted to 32 bits, as the codec's text says.

    The text names unsigned integers of 32 and 64 bits, but not how they are stored: as signed ones, where they fit.
    """

    encoded_size: int | None = None
    native = False

    def __init__(self, array_spec: ArraySpec, options: dict[str, float]) -> None:
        self._array_spec, self._options = array_spec, options
        self._shape = array_spec.shape or (1,)
        self._word = np.dtype(_word(array_spec.dtype))
        self._limits = integer_limits(array_spec.dtype) if array_spec.dtype.name not in _NATIVE else None
        self._zfpy = import_module("zfpy")

    def encode(self, array: NDArrayAny) -> Buf:
        """Encode an array in C order."""
        words = self._promoted(np.ascontiguousarray(array)).reshape(self._shape)
        options = _of_expert(self._options, 4 ** len(self._shape)) if "minbits" in self._options else self._options
        if options is None:
            raise ChunkEncodeError(
                "zfpy writes no values of this expert mode", codec="zfp", found=self._options, hint="use another mode"
            )
        value: bytes = self._zfpy.compress_numpy(words, write_header=False, **options)
        return value

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode a value; raise ChunkDecodeError if it is cut off or too long."""
        least = self._options.get("minbits", self._options.get("rate", 0) * 4 ** len(self._shape))
        # the decoder reads whole words, so up to one more
        longest = longest_value(self._shape, self._word, int(least) + 64, header_bits=64)
        if size_of(data) > longest:
            raise wrong_size(longest, size_of(data))
        return self._demoted(decode_padded(self._decoded, data, longest)).reshape(self._array_spec.shape)

    def _decoded(self, data: Buf) -> Any:
        if "minbits" in self._options:
            settings = [int(self._options[name]) for name in _MODES["expert"]]
            return self._zfpy.decompress_numpy(
                with_expert_header(data, self._shape, self._word, settings[0] or 1, *settings[1:])
            )
        kind = getattr(self._zfpy, f"type_{_NATIVE[self._word.name]}")
        return self._zfpy._decompress(bytes(data), kind, self._shape, **self._options)

    def _promoted(self, array: NDArrayAny) -> NDArrayAny:
        """Return the elements as zfp stores them."""
        if self._limits is None:
            return array.astype(self._word, copy=False)
        low, high, bits = _bits_of(self._limits)
        if bits <= _SMALL_BITS:
            shifted: NDArrayAny = (array.astype(np.int32) - (low + 2 ** (bits - 1))) << (31 - bits)
            return shifted
        if array.size and int(array.max()) > high // 2:
            raise ChunkEncodeError(
                "the specification of zfp does not say how large unsigned integers are stored",
                codec="zfp",
                expected=f"values up to {high // 2}",
                found=int(array.max()),
                hint="use another codec, or a signed data type",
            )
        return array.astype(self._word)

    def _demoted(self, words: NDArrayAny) -> NDArrayAny:
        """Return the elements from what zfp stores."""
        dtype = self._array_spec.dtype
        if self._limits is None:
            return words.astype(dtype, copy=False)
        low, high, bits = _bits_of(self._limits)
        found = words
        if bits <= _SMALL_BITS:
            found = np.clip((words >> (31 - bits)) + (low + 2 ** (bits - 1)), low, high)
        elif self._options:  # only a mode with losses makes numbers below 0 of others, which are close to 0
            found = np.maximum(words, 0)
        return found.astype(dtype)


def _bits_of(limits: tuple[int, int]) -> tuple[int, int, int]:
    """Return the smallest and the largest integer of a data type, and its bits."""
    low, high = limits
    return low, high, (high - low).bit_length()


_LEAST_BITS, _MOST_BITS, _MOST_PLANES, _LAST_EXPONENT = 1, 16658, 64, -1074
"""Settings of the expert mode that limit nothing."""


def _of_expert(given: dict[str, float], values: int) -> dict[str, float] | None:
    """Return the settings of another mode that writes the same as this expert mode; None if there is none."""
    least, most, planes, exponent = (given[name] for name in _MODES["expert"])
    if least == most and (planes, exponent) == (_MOST_PLANES, _LAST_EXPONENT):
        return {"rate": most / values}
    if least > _LEAST_BITS or most < _MOST_BITS:
        return None
    if exponent < _LAST_EXPONENT:
        return {} if planes == _MOST_PLANES else None
    if exponent == _LAST_EXPONENT:
        return {"precision": planes}
    return {"tolerance": 2.0**exponent} if planes == _MOST_PLANES else None


def _check_expert(given: dict[str, Any]) -> None:
    least, most, planes, exponent = numbers = [given[name] for name in _MODES["expert"]]
    if not (
        all(type(number) is int for number in numbers)
        and 0 <= least <= most <= 2**15
        and most >= 1
        and 1 <= planes <= _MOST_PLANES
        and -(2**14) < exponent < 2**14
    ):
        raise BadCompressorError(
            "settings of the expert mode are wrong",
            codec="zfp",
            expected="integers with minbits <= maxbits <= 32768, 1 <= maxprec <= 64",
            found=given,
        )


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> ZfpSerializer:
    mode = configuration.get("mode")
    if mode not in _MODES:
        raise BadCompressorError("unknown mode", codec="zfp", expected=list(_MODES), found=mode)
    check_members(configuration, ("mode", *_MODES[mode]))
    missing = [name for name in _MODES[mode] if not isinstance(configuration.get(name), int | float)]
    if missing:
        raise BadCompressorError("numbers are missing", codec="zfp", expected=_MODES[mode], found=configuration)
    if mode == "expert":
        _check_expert(configuration)
    dtype, ndim = array_spec.dtype, len(array_spec.shape)
    if _word(dtype) is None:
        raise BadCompressorError("zfp has no such data type", codec="zfp", found=str(dtype))
    if ndim > 4:
        raise BadCompressorError(
            "zfp has at most four dimensions", codec="zfp", found=ndim, hint="put the codec 'reshape' before it"
        )
    return ZfpSerializer(array_spec, {name: configuration[name] for name in _MODES[mode]})


register("zfp", CodecKind.SERIALIZER, _make)
