"""Stored arrays and dask: arrays to and from stores, rechunking, copying and consolidating on any scheduler.

This package is the only one that imports dask, and ``import zarrds`` does not import it.
"""

from zarrds.dask.arrays import from_zarr, to_zarr
from zarrds.dask.jobs import Job
from zarrds.dask.progress import progress

__all__ = ["Job", "from_zarr", "progress", "to_zarr"]
