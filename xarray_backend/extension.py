"""Convert dtypes that Zarr cannot store: those of pandas, and numpy text with missing values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

import zarrds
from xarray_backend._compat import is_vlen_text
from xarray_backend.managers import is_foreign, mapped_blocks
from zarrds.errors import MissingValueError

__all__ = ["loaded_objects", "with_stored_dtype"]


def with_stored_dtype(name: str, var: xr.Variable, fill: object = None, *, texts: bool = False) -> xr.Variable:
    """Convert values of pandas dtypes to numpy dtypes; raise MissingValueError for missing text and values.

    With a fill value, missing text is kept: xarray encodes it as the fill value. Text in dask arrays is checked in the
    task of each block, before the block is written. With `texts`, all values are known to be texts, also in a block
    where all are missing.
    """
    try:
        if not isinstance(var.dtype, np.dtype):
            return var.copy(deep=False, data=zarrds.array(var.data, compressor=None)[...])
        if var.dtype.kind not in "OT":
            return var
        texts = texts or is_vlen_text(var.dtype)
        if var.chunks is not None:
            return _with_checked_blocks(name, var, fill, texts)
        checked = _checked_texts(var.values, name, fill, texts)
        return var if checked is None else var.copy(deep=False, data=checked)
    except zarrds.errors.ZarrdsError as error:
        error.path = error.path or name
        raise


def loaded_objects(var: xr.Variable) -> xr.Variable:
    """Return a dask array of objects of unknown kind with its values in memory; any other variable unchanged.

    xarray loads it in any case, to find a dtype, and would store missing texts as empty ones. It remains a dask array,
    so that xarray warns of this.
    """
    if var.chunks is None or var.dtype.kind != "O" or var.dtype.metadata or is_foreign(var.data):
        return var
    import dask.array as da

    values = var.data.compute()
    return var.copy(deep=False, data=da.from_array(values, chunks=-1))


def _with_checked_blocks(name: str, var: xr.Variable, fill: object, texts: bool) -> xr.Variable:
    check = partial(_checked_block, name=name, fill=fill, texts=texts)
    return var.copy(deep=False, data=mapped_blocks(check, var.data, var.dtype))


def _checked_block(block: Any, name: str, fill: object, texts: bool) -> Any:
    """Return a block with NaN for missing texts; raise MissingValueError if no fill value stands for them."""
    checked = _checked_texts(np.asarray(block), name, fill, texts)
    return checked if checked is not None and block.dtype == object else block


def _checked_texts(values: Any, name: str, fill: object, texts: bool) -> Any:
    """Return values with NaN for missing texts, None if there are none; raise MissingValueError without fill value."""
    items = values.astype(object).ravel().tolist()
    if not _misses_text(items, texts):
        return None
    if fill is None:
        raise MissingValueError(
            f"variable {name!r} has missing texts, which cannot be stored",
            path=name,
            hint='fill them first, as in .fillna(""), or in Zarr v2 name a text that stands for them: '
            'encoding={"...": {"_FillValue": "-"}}',
        )
    known: list[object] = [item if isinstance(item, str | bytes) else np.nan for item in items]
    return _as_objects(known, values.shape)


def _misses_text(items: Sequence[object], texts: bool) -> bool:
    """Return whether some items are texts, and all others are missing values; with `texts`, all may be missing."""
    others = [item for item in items if not isinstance(item, str | bytes)]
    return 0 < len(others) < len(items) + texts and all(_is_missing(item) for item in others)


def _is_missing(item: object) -> bool:
    """Return whether an item is None, NaN, NaT or `pandas.NA`, which cannot be compared."""
    return item is None or type(item).__name__ == "NAType" or bool(item != item)


def _as_objects(items: Sequence[object], shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found.reshape(shape)
