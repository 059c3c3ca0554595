"""The value that xarray takes for missing: in format 2 the fill value, in format 3 an attribute.

Without that attribute a dataset would lose its missing values on the way to format 3, though no element changes.
"""

from __future__ import annotations

from base64 import b64encode
from struct import pack

import numpy as np

from zarrds._format import ChunkSpec, fill_scalar
from zarrds._types import JSON

__all__ = ["MASK", "mask_attribute"]

MASK = "_FillValue"


def mask_attribute(chunk: ChunkSpec) -> JSON:
    """The attribute for the fill value of chunks, as xarray writes it; None where there is nothing to be said.

    Only numbers have one: xarray does not read back those of texts.
    """
    kind = chunk.dtype.kind
    if kind not in "iuf" or chunk.dtype.isbuiltin == 2 or chunk.fill.raw is None:
        return None
    value = fill_scalar(chunk.fill, chunk.dtype)
    if kind == "f":
        # NaN is missing anyway
        return None if np.isnan(value) else b64encode(pack("<d", float(value))).decode("ascii")
    return int(value)
