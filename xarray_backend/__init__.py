"""xarray engine and writer of zarrds: ``xarray.open_dataset(path, engine="zarrds")`` and ``to_zarrds(ds, path)``.

The engine is found by its entry point. Importing this package registers the accessors ``ds.zarrds``, ``da.zarrds`` and
``tree.zarrds``; dask is imported only when a dask array is written.
"""

from xarray_backend import accessor as _accessor
from xarray_backend.chunk_cache import ChunkCache
from xarray_backend.concat import concat_stores
from xarray_backend.entrypoint import ZarrdsBackendEntrypoint, open_zarrds
from xarray_backend.preview import VariablePlan, WritePlan
from xarray_backend.reader import ZarrdsStore, glob
from xarray_backend.rechunking import DatasetRechunk, rechunk
from xarray_backend.template import Template
from xarray_backend.writer import to_zarrds

__all__ = [
    "ChunkCache",
    "DatasetRechunk",
    "Template",
    "VariablePlan",
    "WritePlan",
    "ZarrdsBackendEntrypoint",
    "ZarrdsStore",
    "concat_stores",
    "glob",
    "open_zarrds",
    "rechunk",
    "to_zarrds",
]

_accessor.register()
