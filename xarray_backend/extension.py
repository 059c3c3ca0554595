"""Convert dtypes that Zarr cannot store: those of pandas, and numpy text with missing values."""

from __future__ import annotations

import numpy as np
import xarray as xr

import zarrds
from zarrds.errors import MissingValueError

__all__ = ["with_stored_dtype"]


def with_stored_dtype(name: str, var: xr.Variable) -> xr.Variable:
    """Convert values of pandas dtypes to numpy dtypes; raise MissingValueError for missing text and values.

    Text in dask arrays is checked in the task of each block, before the block is written.
    """
    try:
        if not isinstance(var.dtype, np.dtype):
            return var.copy(deep=False, data=zarrds.array(var.data, compressor=None)[...])
        if var.dtype.kind == "T" and var.chunks is None:
            texts = var.values.astype(object)
            if not all(isinstance(text, str) for text in texts.ravel().tolist()):
                raise MissingValueError("missing texts cannot be stored", hint='fill them first, as in .fillna("")')
    except zarrds.errors.ZarrdsError as error:
        error.path = error.path or name
        raise
    return var
