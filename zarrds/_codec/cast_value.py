"""The `cast_value` codec of Zarr v3: convert numbers to another data type, by value. Registered in zarr-extensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register
from zarrds._format import Place, dtype_to_v3, fill_from_v3, fill_scalar, integer_limits, parse_data_type
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
    return fill_scalar(fill, dtype)


class _Cast:
    """Conversion from one dtype to another: first the scalars of the map, then rounding, then the range."""

    def __init__(
        self, source: np.dtype[Any], target: np.dtype[Any], rounding: str, out_of_range: str, pairs: Any
    ) -> None:
        self._from, self._to = _limits(source), _limits(target)
        for dtype, limits in ((source, self._from), (target, self._to)):
            if limits is None and dtype.kind != "f" and dtype.isbuiltin != 2:
                raise BadCompressorError(
                    "only integers, floats, dates and durations can be cast", codec="cast_value", found=str(dtype)
                )
        if source.kind in "mM" and target.kind in "mM":
            raise BadCompressorError(
                "dates and durations are cast to numbers only", codec="cast_value", found=f"{source} to {target}"
            )
        self._source, self._target = source, target
        self._rounded, self._out_of_range = _ROUNDINGS[rounding], out_of_range
        self._pairs = [(scalar(a, source, "scalar_map"), scalar(b, target, "scalar_map")) for a, b in pairs]

    def __call__(self, array: NDArrayAny) -> NDArrayAny:
        """Return the converted array; raise ChunkEncodeError for a value that has no counterpart."""
        array = np.ascontiguousarray(array)
        if not self._pairs:
            return self._converted(array)
        mapped = [(array != array if a != a else array == a, b) for a, b in self._pairs]
        rest = array.copy()
        for where, _ in mapped:
            rest[where] = 0
        found = self._converted(rest)
        for where, value in reversed(mapped):  # the first pair that fits decides
            found[where] = value
        return found

    def _converted(self, array: NDArrayAny) -> NDArrayAny:
        if self._source.kind in "mM":
            return self._of_counts(array)
        if self._to is None:
            return self._to_float(array)
        if self._from is not None:
            return self._from_integer(array, self._from, self._to)
        values = array.astype(np.float64)
        missing = np.isnan(values)
        if missing.any() and self._target.kind not in "mM":
            raise self._refused("NaN")
        found = self._from_whole(self._rounded(np.where(missing, 0.0, values)), *self._to)
        if self._target.kind in "mM":
            found[missing] = np.array("NaT", self._target)
        return found

    def _of_counts(self, array: NDArrayAny) -> NDArrayAny:
        """Convert dates or durations by their counts of units; NaT is NaN, which integers do not have."""
        missing = np.isnat(array)
        if missing.any() and self._to is not None:
            raise self._refused("NaT")
        counts = np.where(missing, 0, array.astype(np.int64))
        if self._to is not None and self._from is not None:
            return self._from_integer(counts, self._from, self._to)
        found = self._to_float(counts)
        found[missing] = np.nan
        return found

    def _to_float(self, array: NDArrayAny) -> NDArrayAny:
        wide = array.astype(np.float64)
        with np.errstate(over="ignore"):
            found = array.astype(self._target)
        outside = np.isfinite(wide) & ~np.isfinite(found.astype(np.float64))
        if outside.any():
            if self._out_of_range != "clamp":
                raise self._refused(array[outside][0])
            found[outside] = np.copysign(_largest(self._target), wide[outside]).astype(self._target)
        return found

    def _from_integer(self, array: NDArrayAny, source: tuple[int, int], target: tuple[int, int]) -> NDArrayAny:
        wide = array if array.dtype.isbuiltin != 2 else array.astype(np.int64)
        word = wide.dtype.type
        low, high = word(max(source[0], target[0])), word(min(source[1], target[1]))
        outside = (wide < low) | (wide > high)
        if outside.any():
            if self._out_of_range == "error":
                raise self._refused(wide[outside][0])
            if self._out_of_range == "clamp":
                wide = np.clip(wide, low, high)
        return self._wrapped(wide.view(np.int64) if wide.dtype == np.uint64 else wide.astype(np.int64), *target)

    def _from_whole(self, values: NDArrayAny, low: int, high: int) -> NDArrayAny:
        """Convert floats without a fraction to integers from `low` to `high`."""
        above, below = values >= float(high + 1), values < _least_float(low)
        outside = above | below
        if not outside.any():
            return (values.astype(np.uint64) if high >= 2**63 else values.astype(np.int64)).astype(self._target)
        if self._out_of_range == "error" or (self._out_of_range == "wrap" and np.isinf(values).any()):
            raise self._refused(values[outside][0])
        if self._out_of_range == "wrap":
            rest = np.fmod(values, float(high - low + 1))
            size = np.abs(rest).astype(np.uint64).view(np.int64)
            return self._wrapped(np.where(rest < 0, -size, size), low, high)
        found = self._from_whole(np.where(outside, 0.0, values), low, high)
        found[above], found[below] = high, low
        return found

    def _wrapped(self, words: NDArrayAny, low: int, high: int) -> NDArrayAny:
        """Return 64-bit words as numbers from `low` to `high`, modulo the number of these."""
        if self._target.isbuiltin == 2:  # conversion to the small integers of ml_dtypes does not wrap around
            words = (words - low) % (high - low + 1) + low
        found = words.astype(self._target)
        if self._target.kind in "mM" and np.isnat(found).any():  # of the 2**64 words one is no count of units
            raise self._refused("a value that wraps to -2**63, which is NaT")
        return found

    def _refused(self, value: object) -> ChunkEncodeError:
        return ChunkEncodeError(
            "value cannot be cast", codec="cast_value", expected=f"value that fits {self._target}", found=str(value)
        )


def _limits(dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Return the range of integers of a dtype, of the counts of units for dates and durations; None for floats."""
    return (-(2**63) + 1, 2**63 - 1) if dtype.kind in "mM" else integer_limits(dtype)


def _least_float(low: int) -> float:
    """Return the least float64 that is not below `low`; `float` alone may round down."""
    found = float(low)
    return found if found >= low else math.nextafter(found, 0.0)


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
    kind = parse_data_type(configuration.get("data_type"), Place("", ("data_type",)))
    if kind.codec is not None:
        raise BadCompressorError("numbers cannot be cast to this data type", codec="cast_value", found=kind.name)
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
