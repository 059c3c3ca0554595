"""Chunked arrays that are not dask's: of dask-array, and of other chunk managers of xarray, such as cubed.

Arrays of dask-array become dask arrays with the same tasks. All others are written through xarray's interface for chunk
managers (`map_blocks`, `rechunk`, `compute`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend._compat import chunk_manager

__all__ = ["has_foreign_blocks", "is_foreign", "mapped_blocks", "with_dask_blocks"]


def _is_dask(data: Any) -> bool:
    return type(data).__module__.startswith("dask.array")


def is_foreign(data: Any) -> bool:
    """Return whether an array has blocks, but no dask graph."""
    return hasattr(data, "chunks") and not hasattr(data, "__dask_graph__") and not isinstance(data, np.ndarray)


def has_foreign_blocks(ds: xr.Dataset) -> bool:
    """Return whether a variable has blocks, but no dask graph: what it reads is not known."""
    return any(var.chunks is not None and is_foreign(var.data) for var in ds.variables.values())


def with_dask_blocks(var: xr.Variable) -> xr.Variable:
    """Return a variable with a dask array in place of one of another library that has dask graphs; else `var` itself.

    The graph is the optimized one, so that what was planned for the expression is kept.
    """
    if var.chunks is None or _is_dask(var.data) or is_foreign(var.data):
        return var
    import dask.array as da
    from dask.core import flatten

    data = var.data
    graph, first = dict(data.__dask_graph__()), next(flatten(data.__dask_keys__()))
    meta = np.empty((0,) * data.ndim, data.dtype)
    return var.copy(deep=False, data=da.Array(graph, name=first[0], chunks=data.chunks, meta=meta))


def mapped_blocks(function: Callable[..., Any], data: Any, dtype: np.dtype[Any], **options: Any) -> Any:
    """Apply a function to each block of a chunked array, by the library that made it."""
    if is_foreign(data):
        return chunk_manager(data).map_blocks(function, data, dtype=dtype, **options)
    import dask.array as da

    meta = np.empty((0,) * data.ndim, dtype)
    return da.map_blocks(function, data, dtype=dtype, meta=meta, **options)
