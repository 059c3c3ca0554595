"""Convert and check values so that none is lost when stored; a conversion that would lose one raises EncodingError.

A loss is: an integer, time or text that would come back as another one; a finite number that would come
back as infinite or missing; a fraction in an integer; a missing value where no fill value says so. Not a loss are: the
rounding of floats to shorter floats, and of packed values to the nearest multiple of their scale factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend import _compat
from zarrds.errors import EncodingError

__all__ = ["Checked", "cast_exactly", "decoding_attrs", "loses", "of_real_dtype"]

Values = Any
"""Arrays of numpy; typed so that the type checker accepts the results of comparisons."""
_USUAL_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_UNITS = {"days": 86400 * 10**9, "hours": 3600 * 10**9, "minutes": 60 * 10**9, "seconds": 10**9}
_UNITS |= {"milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}


def cast_exactly(values: Values, dtype: np.dtype[Any], name: str, *, rounding: bool = False) -> Values:
    """Return the values as `dtype`; raise EncodingError for the first value that it cannot represent.

    With `rounding`, fractions become the nearest integers.
    """
    values = np.asarray(values)
    if values.dtype == dtype or dtype.kind in "OTVb":
        return values
    if values.dtype.kind in "OT":
        values = of_real_dtype(values, dtype, name)
    if rounding and values.dtype.kind == "f" and dtype.kind in "iu":
        values = np.rint(values)
    lost = loses(values, dtype)
    if lost is not None and lost.any():
        raise EncodingError(
            f"variable {name!r} has values that its stored dtype cannot hold",
            path=name,
            expected=f"values of {dtype}",
            found=f"{values[lost][0]!r} of {values.dtype}",
            hint="convert them with astype, or write the variable to a new place with a dtype that holds them",
        )
    return values.astype(dtype)


def of_real_dtype(values: Values, dtype: np.dtype[Any], name: str) -> Values:
    """Return objects or texts of any length in the dtype that numpy finds for them."""
    if not values.size:
        return np.empty(values.shape, dtype)
    found = np.array(values.tolist()) if values.dtype.kind == "O" else values.astype(str)
    texts = found.dtype.kind not in "US" or all(isinstance(value, str | bytes) for value in values.flat)
    if found.shape == values.shape and found.dtype.kind != "O" and texts:
        return found
    raise EncodingError(
        f"variable {name!r} has objects, which its stored dtype cannot hold",
        path=name,
        expected=f"values of {dtype}",
        found=type(values.flat[0]).__name__,
    )


def loses(values: Values, dtype: np.dtype[Any]) -> Values | None:
    """Return a mask of the values that `dtype` would change; None if it cannot change any."""
    kind, target = values.dtype.kind, dtype.kind
    if target in "iu" and kind in "iu":
        return _outside(values, dtype)
    if target in "iu" and kind == "f":
        with np.errstate(invalid="ignore"):
            return ~np.isfinite(values) | (values != np.trunc(values)) | _outside(values, dtype)
    if target in "fc" and kind in "iu":
        return _rounded_integers(values, dtype)
    if kind + target in ("ff", "fc", "cc"):
        with np.errstate(over="ignore", invalid="ignore"):
            return np.isfinite(values) & ~np.isfinite(values.astype(dtype))
    if target in "US" and kind == target:
        return np.char.str_len(values) > dtype.itemsize // (4 if target == "U" else 1)
    if target in "Mm" and kind == target:
        with np.errstate(over="ignore"):
            return ~np.isnat(values) & (values.astype(dtype).astype(values.dtype) != values)
    return None if np.can_cast(values.dtype, dtype, "same_kind") else np.ones(values.shape, bool)


def _outside(values: Values, dtype: np.dtype[Any]) -> Values:
    info = np.iinfo(dtype)
    if values.dtype.kind == "f":  # the largest integer is not a float, but the integer after it is
        return (values < float(info.min)) | (values >= float(info.max) + 1)
    if np.can_cast(values.dtype, dtype, "safe"):
        return np.zeros(values.shape, bool)
    return (values < info.min) | (values > info.max)


def _rounded_integers(values: Values, dtype: np.dtype[Any]) -> Values | None:
    if np.can_cast(values.dtype, dtype, "safe") and values.dtype.itemsize < 8:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        back = values.astype(dtype).real
        return _outside(back, values.dtype) | (back.astype(values.dtype) != values)


# --- values that are encoded by the CF conventions -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """Comparison of values with what their encoded form decodes to.

    Attributes
    ----------
    name : str
        Name of the variable.
    attrs : tuple of (str, object)
        Attributes by which readers decode it: units, scale factor and the like.
    dtype : numpy.dtype
        The stored dtype.
    rounding : bool
        Whether fractions may become integers without a scale factor, as the user asked for integers.
    """

    name: str
    attrs: tuple[tuple[str, Any], ...]
    dtype: np.dtype[Any]
    rounding: bool = False

    def times(self, values: Any) -> Values:
        """Return times or durations; raise EncodingError if the stored integers cannot express one of them."""
        values = np.asarray(values)
        if values.dtype.kind not in "Mm" or self.dtype.kind not in "iu" or not values.size:
            return values
        first, second = self._decoded(np.array([0, 1], self.dtype))
        if np.asarray(first).dtype.kind != values.dtype.kind:
            return values
        known = values[~np.isnat(values)]
        since = known - first if values.dtype.kind == "M" else known
        lost = (since % (second - first)).astype("i8") != 0
        if lost.any():
            raise self._lost(known[lost][0], _resolution(since))
        return values

    def __call__(self, values: Any, encoded: Any) -> Values:
        """Return the encoded values; raise EncodingError if one decodes to something else."""
        values, encoded = np.asarray(values), np.asarray(encoded)
        if values.shape != encoded.shape or not values.size:
            return encoded  # the code that writes values reports wrong shapes
        with np.errstate(invalid="ignore", over="ignore"):
            stored = cast_exactly(encoded, self.dtype, self.name)
            back = self._decoded(stored)
            same = self._same(values, np.asarray(back), stored)
        if not same.all():
            raise self._lost(values[~same][0], None)
        return stored

    def _decoded(self, stored: Values) -> Any:
        dims = tuple(f"d{n}" for n in range(stored.ndim))
        return _compat.decode_values(xr.Variable(dims, stored, dict(self.attrs)), self.name).values

    def _same(self, values: Values, back: Values, stored: Values) -> Values:
        if values.dtype.kind in "Mm" or back.dtype.kind in "MmO" or values.dtype.kind == "O":
            return self._same_times(values, back, stored)
        missing = np.isnan(back) if back.dtype.kind in "fc" else np.zeros(back.shape, bool)
        absent = np.isnan(values) if values.dtype.kind in "fc" else np.zeros(values.shape, bool)
        fill = dict(self.attrs).get("_FillValue", dict(self.attrs).get("missing_value"))
        if fill is not None:  # a value that means "missing" by the conventions was missing in the input too
            absent |= values == np.asarray(fill)
        near = np.abs(values.astype(back.dtype, copy=False) - back) <= self._tolerance(values, back, stored)
        return (values == back) | (near & np.isfinite(values)) | (missing & absent)

    def _tolerance(self, values: Values, back: Values, stored: Values) -> Any:
        attrs = dict(self.attrs)
        floats = [a.dtype for a in (back, stored) if a.dtype.kind == "f"]
        scale, offset = attrs.get("scale_factor"), attrs.get("add_offset")
        if scale is None and offset is None and stored.dtype.kind in "iu":
            return 0.5 if self.rounding else 0
        step = abs(float(1 if scale is None else scale)) * 0.500001 if stored.dtype.kind in "iu" else 0
        if not floats:
            return step
        eps = max(float(np.finfo(dtype).eps) for dtype in floats)
        tiny = max(float(np.finfo(dtype).tiny) for dtype in floats)
        return step + 4 * eps * (np.abs(values.astype("f8")) + 2 * abs(float(offset or 0))) + tiny

    def _same_times(self, values: Values, back: Values, stored: Values) -> Values:
        """Return whether times are equal; floats may differ by a microsecond or by the precision of the float."""
        if values.dtype.kind == "O" and back.dtype.kind == "M":
            values = _as_datetimes(values)
        if values.dtype.kind != back.dtype.kind:
            return np.zeros(values.shape, bool)
        if values.dtype.kind == "O":
            return np.array([_near(a, b) for a, b in zip(values.flat, back.flat, strict=True)]).reshape(values.shape)
        both = np.isnat(values) & np.isnat(back)
        if stored.dtype.kind != "f":
            return (values == back) | both
        first, second = self._decoded(np.array([0, 1], self.dtype))
        unit = (second - first).astype("m8[ns]").astype("f8")
        apart = np.clip(np.spacing(np.abs(stored)).astype("f8") * unit, 1e3, 1e6)
        return (np.abs((values - back).astype("m8[ns]").astype("f8")) <= apart) | both

    def _lost(self, value: Any, needed: str | None) -> EncodingError:
        attrs = dict(self.attrs)
        if "units" in attrs and np.asarray(value).dtype.kind in "MmO":
            stored = f"{self.dtype} in {attrs['units']!r}" + (f", {attrs['calendar']}" if "calendar" in attrs else "")
        else:
            stored = f"{self.dtype}" + "".join(f", {key} {value}" for key, value in self.attrs)
        return EncodingError(
            f"variable {self.name!r} has values that its stored encoding cannot express",
            path=self.name,
            expected=stored,
            found=f"{value!s}"
            + (f", which needs {needed}" if needed else "")
            + (f" of calendar {value.calendar}" if hasattr(value, "calendar") else ""),
            hint="convert the values, or write the variable to a new place with another encoding; a variable that is "
            "stored without elements, or in an append as one chunk, takes encoding={...} again",
        )


def _as_datetimes(values: Values) -> Values:
    """Return dates of the usual calendars as numpy's, as reading gives them; of other calendars as they are."""
    if not all(getattr(value, "calendar", "") in _USUAL_CALENDARS for value in values.flat if value is not None):
        return values
    texts = ["NaT" if value is None else value.isoformat() for value in values.flat]
    return np.array(texts, "M8[us]").reshape(values.shape)


def _near(a: Any, b: Any) -> bool:
    if a is None or b is None or a != a or b != b:
        return (a is None or a != a) and (b is None or b != b)
    try:
        return bool(abs((a - b).total_seconds()) < 1e-6)
    except (TypeError, ValueError):  # of different calendars
        return False


def _resolution(since: Values) -> str:
    """Return the coarsest units in which all these durations are whole numbers."""
    for name, length in _UNITS.items():
        if not (since % np.timedelta64(length, "ns")).astype("i8").any():
            return name
    return "nanoseconds"


def decoding_attrs(attrs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return the attributes of a stored variable that describe how its values are decoded."""
    names = ("units", "calendar", "scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned", "dtype")
    return tuple((name, attrs[name]) for name in names if name in attrs)
