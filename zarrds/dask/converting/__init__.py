"""Convert a hierarchy to the other Zarr format as a dask job."""
