"""Recognize a file that was given where a store is needed, to say how its data are read."""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["how_to_read"]

_HDF5 = (
    "this is a netCDF-4 or HDF5 file: store it with to_zarrds(xarray.open_dataset(file), target) of zarrds.xarray, "
    "or copy its arrays with zarrds.copy_all(h5py.File(file), group)"
)
_NETCDF = "this is a netCDF file: store it with to_zarrds(xarray.open_dataset(file), target) of zarrds.xarray"
_REFERENCES = "if this is a list of references, open reference:// with the storage option fo: fo=refs.json"
_KINDS = {
    b"\x89HDF\r\n\x1a\n": _HDF5,
    b"CDF\x01": _NETCDF,
    b"CDF\x02": _NETCDF,
    b"CDF\x05": _NETCDF,
    b"PK\x03\x04": "this is a ZIP file: open it with zarrds.ZipStore",
    b"SQLite format 3\x00": "this is a database of SQLite: open it with zarrds.SQLiteStore",
}
"""What is said about files that begin with these bytes."""


def how_to_read(path: str) -> str:
    """Return the hint for a file where a directory is needed, by its first bytes.

    Parameters
    ----------
    path : str
        Path of the file.

    Examples
    --------
    >>> how_to_read("nothing.zarr")
    'name the directory of a store, or move the file away'
    """
    start = b""
    if os.path.isfile(path):  # to open a pipe would wait for a writer
        with suppress(OSError), open(path, "rb") as file:
            start = file.read(4096)
    if start.lstrip().startswith(b"{") and (b'"refs"' in start or b".zgroup" in start or b"zarr.json" in start):
        return _REFERENCES
    known = (hint for magic, hint in _KINDS.items() if start.startswith(magic))
    return next(known, "name the directory of a store, or move the file away")
