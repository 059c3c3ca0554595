"""Stores by the paths and URLs that are arguments of commands."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zarrds.convenience import open as open_node
from zarrds.core import Array
from zarrds.hierarchy import Group
from zarrds.storage import LMDBStore, SQLiteStore, Store, ZipStore, as_store

__all__ = ["is_file_of_data", "is_url", "opened", "schemes_of", "store_at", "store_or_place", "target_place"]

_SQLITE = b"SQLite format 3\0"
_ZIP = b"PK\3\4"
_NEW_SQLITE = (".sqlite", ".sqlite3", ".sqldb")
_NEW_LMDB = ".lmdb"
_NETCDF = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")


def is_url(place: str) -> bool:
    """Return whether an argument is a URL, or a chain of URLs."""
    return "://" in place or "::" in place


def schemes_of(place: str) -> list[str]:
    """Return the schemes of a chain of URLs, the outermost first.

    >>> schemes_of("zip::s3://bucket/a.zip"), schemes_of("s3://bucket/a")
    (['zip', 's3'], ['s3'])
    """
    return [part.partition("://")[0] for part in place.split("::")]


def store_or_place(place: str, mode: str = "r") -> Store | str:
    """Return the store of a database file, which is known by its first bytes or its name; other places as they are.

    Files of SQLite (new ones: ``.sqlite``, ``.sqldb``), databases of LMDB (``.lmdb``), ZIP files of any name.
    """
    if is_url(place):
        return place
    path = Path(os.path.expanduser(place))
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
        if start == _SQLITE:
            return SQLiteStore(path)
        if start.startswith(_ZIP) and mode == "r":
            return ZipStore(path, mode="r")
    elif (path / "data.mdb").is_file() or (mode != "r" and place.endswith(_NEW_LMDB)):
        return LMDBStore(path)
    elif mode != "r" and place.endswith(_NEW_SQLITE) and not path.exists():
        return SQLiteStore(path)
    return place


def target_place(place: str, *, dry_run: bool) -> Store | str:
    """Return what `store_or_place` gives for writing; a dry run creates no database where nothing is."""
    if dry_run and not os.path.lexists(os.path.expanduser(place)):
        return place
    return store_or_place(place, "a")


def is_file_of_data(place: str) -> bool:
    """Return whether an argument names a file of netCDF or HDF5, or is a pattern (``part-*.nc``) of such files.

    >>> is_file_of_data("nothing.nc")
    False
    """
    for path in [place, *sorted(glob.glob(place))[:1]]:
        try:
            with open(path, "rb") as file:
                return file.read(8).startswith(_NETCDF)
        except OSError:  # a directory, or nothing
            continue
    return False


def store_at(place: str, options: Mapping[str, Any] | None, mode: str = "r") -> Store:
    """Return the store at a place."""
    return as_store(store_or_place(place, mode), mode=mode, storage_options=options)


def opened(place: str, path: str, options: Mapping[str, Any] | None) -> Array | Group:
    """Open an array or a group for reading."""
    return open_node(store_or_place(place), mode="r", path=path, storage_options=options)
