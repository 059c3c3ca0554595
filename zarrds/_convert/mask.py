"""Find the value that means "missing" to xarray: in Zarr v2 the fill value, in Zarr v3 an attribute.

Without that attribute a dataset would lose its missing values when converted to Zarr v3, though no element changes.
"""

from __future__ import annotations

from base64 import b64encode
from struct import pack

import numpy as np

from zarrds._base.types import JSON
from zarrds._format import ChunkSpec, fill_scalar

__all__ = ["MASK", "mask_attribute"]

MASK = "_FillValue"


def mask_attribute(chunk: ChunkSpec) -> JSON:
    """Return the attribute for a fill value, in the form that xarray writes; None if none is needed.

    Only numbers have one: xarray does not read this attribute for text.
    """
    kind = chunk.dtype.kind
    if kind not in "iuf" or chunk.dtype.isbuiltin == 2 or chunk.fill.raw is None:
        return None
    value = fill_scalar(chunk.fill, chunk.dtype)
    if kind == "f":
        # NaN means "missing" without an attribute
        return None if np.isnan(value) else b64encode(pack("<d", float(value))).decode("ascii")
    return int(value)
