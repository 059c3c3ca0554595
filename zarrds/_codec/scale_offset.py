"""The `scale_offset` codec of Zarr v3: store ``(value - offset) * scale``. Registered in zarr-extensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._codec.cast_value import scalar
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register
from zarrds.errors import BadCompressorError, ChunkDecodeError, ChunkEncodeError

__all__ = ["ScaleOffsetFilter"]


class ScaleOffsetFilter:
    """Filter that subtracts an offset, then multiplies by a scale, in the data type of the array."""

    def __init__(self, array_spec: ArraySpec, offset: Any, scale: Any) -> None:
        self.makes = array_spec
        self._offset, self._scale = offset, scale

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the scaled numbers; raise ChunkEncodeError if an integer does not fit its data type."""
        if array.dtype.kind not in "iu":
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray((array - self._offset) * self._scale, array.dtype)
        # exact integers: the products of two 64-bit numbers need more bits than a word
        found = (array.astype(object) - int(self._offset)) * int(self._scale)
        return self._fitting(found, ChunkEncodeError)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the original numbers; raise ChunkDecodeError if an integer is no multiple of the scale."""
        if array.dtype.kind not in "iu":
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                return np.asarray(array / self._scale + self._offset, array.dtype)
        exact = array.astype(object)
        scale = int(self._scale)
        if array.size and np.any(exact % scale != 0):
            raise ChunkDecodeError("stored integer is no multiple of the scale", codec="scale_offset", expected=scale)
        return self._fitting(exact // scale + int(self._offset), ChunkDecodeError)

    def _fitting(self, exact: NDArrayAny, error: type[ChunkEncodeError] | type[ChunkDecodeError]) -> NDArrayAny:
        """Return exact integers in the data type of the array; raise `error` for one that does not fit."""
        dtype = self.makes.dtype
        if exact.size and not np.iinfo(dtype).min <= exact.min() <= exact.max() <= np.iinfo(dtype).max:
            raise error(f"scaled integers do not fit {dtype}", codec="scale_offset", found=str(exact.max()))
        return exact.astype(dtype)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> ScaleOffsetFilter:
    check_members(configuration, ("offset", "scale"))
    if array_spec.dtype.kind not in "iufc" and array_spec.dtype.name != "bfloat16":
        raise BadCompressorError("scale_offset scales numbers", codec="scale_offset", found=str(array_spec.dtype))
    one = [1.0, 0.0] if array_spec.dtype.kind == "c" else 1
    zero = [0.0, 0.0] if array_spec.dtype.kind == "c" else 0
    offset = scalar(configuration.get("offset", zero), array_spec.dtype, "offset")
    scale = scalar(configuration.get("scale", one), array_spec.dtype, "scale")
    if scale == 0:
        raise BadCompressorError("scale is zero", codec="scale_offset", expected="another number", found=str(scale))
    return ScaleOffsetFilter(array_spec, offset, scale)


register("scale_offset", CodecKind.FILTER, _make)
