"""Convert dtypes that Zarr cannot store: those of pandas, and numpy text with missing values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

import zarrds
from zarrds.errors import MissingValueError

__all__ = ["with_stored_dtype"]


def with_stored_dtype(name: str, var: xr.Variable, fill: object = None) -> xr.Variable:
    """Convert values of pandas dtypes to numpy dtypes; raise MissingValueError for missing text and values.

    With a fill value, missing text is kept: xarray encodes it as the fill value. Text in dask arrays is checked in the
    task of each block, before the block is written.
    """
    try:
        if not isinstance(var.dtype, np.dtype):
            return var.copy(deep=False, data=zarrds.array(var.data, compressor=None)[...])
        if var.dtype.kind not in "OT" or var.chunks is not None:
            return var
        items = var.values.astype(object).ravel().tolist()
        if _misses_text(items):
            if fill is None:
                raise MissingValueError(
                    "missing texts cannot be stored",
                    hint='fill them first, as in .fillna(""), or in Zarr v2 name a text that stands for them: '
                    'encoding={"...": {"_FillValue": "-"}}',
                )
            known: list[object] = [item if isinstance(item, str | bytes) else np.nan for item in items]
            return var.copy(deep=False, data=_as_objects(known, var.shape))
    except zarrds.errors.ZarrdsError as error:
        error.path = error.path or name
        raise
    return var


def _misses_text(items: Sequence[object]) -> bool:
    """Return whether some items are texts, and all others are missing values."""
    others = [item for item in items if not isinstance(item, str | bytes)]
    return 0 < len(others) < len(items) and all(_is_missing(item) for item in others)


def _is_missing(item: object) -> bool:
    """Return whether an item is None, NaN, NaT or `pandas.NA`, which cannot be compared."""
    return item is None or type(item).__name__ == "NAType" or bool(item != item)


def _as_objects(items: Sequence[object], shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found.reshape(shape)
