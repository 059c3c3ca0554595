"""Convert a hierarchy to the other format as a job of dask."""
