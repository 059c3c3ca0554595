"""What stored numbers mean by the conventions of CF: which are missing, and how packed ones are unpacked."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny

__all__ = ["Unpacking", "decoded_fill", "unpacking_of"]

_NUMBERS = "biuf"


@dataclass(frozen=True, slots=True)
class Unpacking:
    """How numbers are unpacked: `scale` times the stored number, plus `offset`; some numbers mean "missing".

    Attributes
    ----------
    missing : tuple of float or int
        Stored numbers that mean "missing"; NaN always does.
    scale, offset : float
        From the attributes ``scale_factor`` and ``add_offset``.
    """

    missing: tuple[float | int, ...] = ()
    scale: float = 1.0
    offset: float = 0.0

    @property
    def is_packed(self) -> bool:
        """Whether stored numbers differ from what they mean."""
        return (self.scale, self.offset) != (1.0, 0.0)

    def mask(self, stored: NDArrayAny) -> NDArrayAny:
        """Return where values are missing."""
        if stored.dtype.kind in "mM":
            return np.asarray(np.isnat(stored))
        found = np.isnan(stored) if stored.dtype.kind in "fc" else np.zeros(stored.shape, bool)
        for number in self.missing:
            found |= stored == number
        return found

    def unpacked(self, stored: NDArrayAny) -> NDArrayAny:
        """Return numbers as float64, NaN where they are missing; other types as they are."""
        if stored.dtype.kind not in _NUMBERS:
            return stored
        mask = self.mask(stored)
        values = stored.astype("f8") * self.scale + self.offset if self.is_packed else stored.astype("f8")
        values[mask] = np.nan
        return values


def unpacking_of(array: Any) -> Unpacking:
    """Return how the numbers of an array are unpacked, by its attributes.

    In Zarr v2 xarray keeps ``_FillValue`` as the fill value of the array: it counts if the array names its dimensions
    as xarray does.
    """
    attributes = array.attrs.asdict()
    if array.dtype.kind not in _NUMBERS:
        return Unpacking()
    given = [decoded_fill(attributes.get("_FillValue"), array.dtype), *_listed(attributes.get("missing_value"))]
    if array.zarr_format == 2 and "_ARRAY_DIMENSIONS" in attributes and "_FillValue" not in attributes:
        given.append(array.fill_value)
    missing = dict.fromkeys(np.asarray(n).item() for n in given if _is_number(n) and n == n)
    return Unpacking(tuple(missing), _number(attributes, "scale_factor", 1.0), _number(attributes, "add_offset", 0.0))


def decoded_fill(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return the attribute ``_FillValue``: xarray writes floats of Zarr v3 as base64 of eight bytes.

    >>> decoded_fill("AAAAAAAA+H8=", np.dtype("f4")), decoded_fill(-1, np.dtype("i2"))
    (nan, -1)
    """
    if not isinstance(value, str) or dtype.kind != "f":
        return value
    try:
        (number,) = struct.unpack("<d", base64.b64decode(value, validate=True))
    except (binascii.Error, struct.error):
        return value
    return number


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _number(attributes: Mapping[str, Any], name: str, default: float) -> float:
    value = attributes.get(name, default)
    return float(value) if _is_number(value) else default
