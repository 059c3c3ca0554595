"""The `cast_value` codec of Zarr v3: convert numbers to another data type, by value. Registered in zarr-extensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register
from zarrds._format import DataType, Place, dtype_to_v3, fill_from_v3, parse_data_type
from zarrds._types import NDArrayAny
from zarrds.errors import BadCompressorError, ChunkEncodeError

__all__ = ["CastFilter", "scalar"]

_MOST_SCALARS = 4096


def _nearest_away(values: NDArrayAny) -> NDArrayAny:
    whole = np.trunc(values)
    return np.where(np.abs(values - whole) >= 0.5, whole + np.copysign(1, values), whole)


_ROUNDINGS: dict[str, Callable[[NDArrayAny], NDArrayAny]] = {
    "nearest-even": np.rint,
    "towards-zero": np.trunc,
    "towards-positive": np.ceil,
    "towards-negative": np.floor,
    "nearest-away": _nearest_away,
}
_RANGES = ("error", "clamp", "wrap")


def scalar(value: Any, dtype: np.dtype[Any], member: str) -> Any:
    """Return the scalar of `dtype` for its JSON form, which is that of fill values."""
    place = Place("", (member,))
    fill = fill_from_v3(value, parse_data_type(dtype_to_v3(dtype), place), place)
    return np.frombuffer(fill.raw or b"", dtype)[0]


@dataclass(frozen=True, slots=True)
class _Limits:
    """Smallest and largest value of a dtype; floats have no `low` and `high`."""

    is_integer: bool
    low: int = 0
    high: int = 0
    bits: int = 0


def _limits(dtype: np.dtype[Any]) -> _Limits:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return _Limits(True, int(info.min), int(info.max), 8 * dtype.itemsize)
    if dtype.name in ("int2", "int4", "uint2", "uint4"):
        bits = int(dtype.name[-1])
        signed = dtype.name[0] == "i"
        return _Limits(True, -(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1, bits)
    if dtype.kind == "f" or dtype.isbuiltin == 2:
        return _Limits(False)
    raise BadCompressorError("cast_value casts integers and floats", codec="cast_value", found=str(dtype))


class _Cast:
    """Conversion from one dtype to another: first the scalars of the map, then rounding, then the range."""

    def __init__(
        self, source: np.dtype[Any], target: np.dtype[Any], rounding: str, out_of_range: str, pairs: Any
    ) -> None:
        self._source, self._target = source, target
        self._from, self._to = _limits(source), _limits(target)
        self._rounded, self._out_of_range = _ROUNDINGS[rounding], out_of_range
        self._pairs = [(scalar(a, source, "scalar_map"), scalar(b, target, "scalar_map")) for a, b in pairs]

    def __call__(self, array: NDArrayAny) -> NDArrayAny:
        """Return the converted array; raise ChunkEncodeError for a value that has no counterpart."""
        array = np.ascontiguousarray(array)
        mapped = [(array != array if a != a else array == a, b) for a, b in self._pairs]
        free = np.ones(array.shape, bool)
        for where, _ in mapped:
            free &= ~where
        found = self._converted(np.where(free, array, np.zeros((), self._source)).astype(self._source, copy=False))
        for where, value in reversed(mapped):  # the first pair that fits decides
            found[where] = value
        return found

    def _converted(self, array: NDArrayAny) -> NDArrayAny:
        if not self._to.is_integer:
            return self._to_float(array)
        if self._from.is_integer:
            return self._from_integer(array)
        values = array.astype(np.float64)
        if np.isnan(values).any():
            raise self._refused("NaN")
        return self._from_whole(self._rounded(values))

    def _to_float(self, array: NDArrayAny) -> NDArrayAny:
        with np.errstate(over="ignore"):
            found = array.astype(self._target)
        if self._from.is_integer and array.dtype.isbuiltin != 2 and self._target.isbuiltin != 2:
            outside = ~np.isfinite(found)
        else:
            wide = array.astype(np.float64)
            outside = np.isfinite(wide) & ~np.isfinite(found.astype(np.float64))
        if outside.any():
            if self._out_of_range != "clamp":
                raise self._refused(array[outside][0])
            largest = _largest(self._target)
            found[outside] = np.where(array[outside].astype(np.float64) > 0, largest, -largest).astype(self._target)
        return found

    def _from_integer(self, array: NDArrayAny) -> NDArrayAny:
        low, high = max(self._from.low, self._to.low), min(self._from.high, self._to.high)
        wide = array if array.dtype.isbuiltin != 2 else array.astype(np.int64)
        outside = (wide < wide.dtype.type(low)) | (wide > wide.dtype.type(high))
        if outside.any():
            if self._out_of_range == "error":
                raise self._refused(wide[outside][0])
            if self._out_of_range == "clamp":
                wide = np.clip(wide, wide.dtype.type(low), wide.dtype.type(high))
        return self._wrapped(wide.astype(np.int64) if wide.dtype != np.uint64 else wide.view(np.int64))

    def _from_whole(self, values: NDArrayAny) -> NDArrayAny:
        """Convert floats without a fraction."""
        above, below = values >= float(self._to.high + 1), values < float(self._to.low)
        outside = above | below
        if not outside.any():
            bits = self._to.high.bit_length()
            return self._wrapped(values.astype(np.uint64).view(np.int64) if bits == 64 else values.astype(np.int64))
        if self._out_of_range == "error" or (self._out_of_range == "wrap" and np.isinf(values).any()):
            raise self._refused(values[outside][0])
        if self._out_of_range == "wrap":
            rest = np.fmod(values, 2.0**self._to.bits)
            size = np.abs(rest).astype(np.uint64).view(np.int64)
            return self._wrapped(np.where(rest < 0, -size, size))
        inside = self._from_whole(np.where(outside, 0.0, values))
        inside[above], inside[below] = self._to.high, self._to.low
        return inside

    def _wrapped(self, words: NDArrayAny) -> NDArrayAny:
        """Return 64-bit words as numbers of the target, modulo the number of its values."""
        if self._target.isbuiltin == 2:
            words = (words - self._to.low) % 2**self._to.bits + self._to.low
        return words.astype(self._target)

    def _refused(self, value: object) -> ChunkEncodeError:
        return ChunkEncodeError(
            "value cannot be cast", codec="cast_value", expected=f"value that fits {self._target}", found=str(value)
        )


def _largest(dtype: np.dtype[Any]) -> float:
    """Return the largest finite value of a float dtype, of numpy or ml_dtypes."""
    if dtype.isbuiltin != 2:
        return float(np.finfo(dtype).max)
    return float(import_module("ml_dtypes").finfo(dtype).max)


class CastFilter:
    """Filter that stores numbers in another data type."""

    def __init__(self, array_spec: ArraySpec, target: np.dtype[Any], configuration: dict[str, Any]) -> None:
        how = configuration.get("rounding", "nearest-even"), configuration.get("out_of_range", "error")
        pairs = configuration.get("scalar_map") or {}
        self.makes = ArraySpec(array_spec.shape, target)
        self._encode = _Cast(array_spec.dtype, target, *how, pairs.get("encode", ()))
        self._decode = _Cast(target, array_spec.dtype, *how, pairs.get("decode", ()))

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the numbers in the stored data type."""
        return self._encode(array)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the numbers in the data type of the array."""
        return self._decode(array)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> CastFilter:
    check_members(configuration, ("data_type", "rounding", "out_of_range", "scalar_map"))
    kind: DataType = parse_data_type(configuration.get("data_type"), Place("", ("data_type",)))
    for member, known in (("rounding", _ROUNDINGS), ("out_of_range", _RANGES)):
        if configuration.get(member, next(iter(known))) not in known:
            raise BadCompressorError(
                f"unknown {member}", codec="cast_value", expected=list(known), found=configuration[member]
            )
    _check_map(configuration.get("scalar_map"))
    return CastFilter(array_spec, kind.dtype, configuration)


def _check_map(given: Any) -> None:
    """Raise unless `given` is None, or has lists of pairs as members ``encode`` and ``decode``."""
    if given is None:
        return
    lists = list(given.values()) if isinstance(given, dict) and set(given) <= {"encode", "decode"} else [None]
    for pairs in lists:
        if not isinstance(pairs, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
            raise BadCompressorError(
                "not a map of scalars", codec="cast_value", expected="lists of pairs: encode, decode", found=given
            )
        if len(pairs) > _MOST_SCALARS:
            raise BadCompressorError(
                "map of scalars is too long", codec="cast_value", expected=_MOST_SCALARS, found=len(pairs)
            )


register("cast_value", CodecKind.FILTER, _make)
