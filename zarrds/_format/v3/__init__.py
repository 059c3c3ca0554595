"""Documents of format 3 (final): ``zarr.json`` <-> values."""
