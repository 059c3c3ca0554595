"""Documents of Zarr v3 (final specification): ``zarr.json`` <-> values."""
