"""Filter between complex64 and pairs of small floats: see `zarrds._format.v3.complex_parts`."""

from __future__ import annotations

from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, register
from zarrds._format import COMPLEX_PARTS, Place, parse_data_type
from zarrds.errors import BadCompressorError

__all__ = ["ComplexPartsFilter"]


class ComplexPartsFilter:
    """Filter that stores complex64 as a real and an imaginary part of a smaller data type, along a new last axis."""

    def __init__(self, array_spec: ArraySpec, part: np.dtype[Any]) -> None:
        self._shape = array_spec.shape
        self.makes = ArraySpec((*array_spec.shape, 2), part)

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the parts, rounded to their data type."""
        parts = np.ascontiguousarray(array).reshape(-1).view(np.float32)
        return parts.astype(self.makes.dtype).reshape(self.makes.shape)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the complex numbers."""
        return np.ascontiguousarray(array).astype(np.float32).reshape(-1).view(np.complex64).reshape(self._shape)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> ComplexPartsFilter:
    if array_spec.dtype != np.complex64:
        raise BadCompressorError("only complex64 has such parts", codec=COMPLEX_PARTS, found=str(array_spec.dtype))
    kind = parse_data_type(configuration.get("data_type"), Place("", ("data_type",)))
    return ComplexPartsFilter(array_spec, kind.dtype)


register(COMPLEX_PARTS, CodecKind.FILTER, _make)
