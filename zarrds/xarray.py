"""The xarray engine, its writer and its accessors, under a name beside `zarrds.dask`; importing it imports xarray.

All of it lies in the package ``xarray_backend``, whose entry point xarray finds by itself.

Examples
--------
>>> import numpy as np, xarray as xr
>>> from zarrds.xarray import to_zarrds
>>> ds = xr.Dataset({"t": ("x", np.arange(3))})
>>> _ = to_zarrds(ds, "data/example.zarr", mode="w")
>>> xr.open_dataset("data/example.zarr", engine="zarrds")["t"].values
array([0, 1, 2])
"""

import xarray_backend
from xarray_backend import *  # noqa: F403

__all__ = list(xarray_backend.__all__)
