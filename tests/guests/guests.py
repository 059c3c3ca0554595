"""Guests: stores, sessions, references, paths and files of other libraries, each over the same small dataset."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

VALUES = np.arange(24.0).reshape(4, 6)

Make = Callable[[Path], Any]


def needed(name: str) -> Any:
    """Return a module of another library; skip the test without it, or fail where nothing may be missing."""
    if os.environ.get("ZARRDS_REQUIRE_SERVICES") == "1":
        return __import__(name, fromlist=["_"])
    return pytest.importorskip(name)


def dataset() -> xr.Dataset:
    return xr.Dataset({"u": (("y", "x"), VALUES)}, coords={"x": np.arange(6)})


def filled(store: Any) -> Any:
    """Write the dataset with Zarr-Python 3, in Zarr v3."""
    encoding = {"u": {"chunks": (2, 3)}}
    dataset().to_zarr(store, zarr_format=3, encoding=encoding, consolidated=False)
    return store


def storage() -> Any:
    return needed("zarr.storage")


# --- stores of Zarr-Python 3 -----------------------------------------------------------------------------------------


def local_store(path: Path) -> Any:
    return filled(storage().LocalStore(path / "a"))


def memory_store(path: Path) -> Any:
    return filled(storage().MemoryStore())


def fsspec_store(path: Path) -> Any:
    return filled(storage().FsspecStore.from_url(f"file://{path}/a", storage_options={"auto_mkdir": True}))


def object_store(path: Path) -> Any:
    (path / "a").mkdir()
    return filled(storage().ObjectStore(needed("obstore.store").LocalStore(path / "a")))


def zip_store(path: Path) -> Any:
    local_store(path)
    shutil.make_archive(str(path / "a"), "zip", path / "a")  # Zarr-Python would write two entries of one name
    return storage().ZipStore(path / "a.zip", mode="r")


def wrapper_store(path: Path) -> Any:
    return storage().WrapperStore(local_store(path))


def logging_store(path: Path) -> Any:
    return storage().LoggingStore(local_store(path), log_level="CRITICAL", log_handler=logging.NullHandler())


# --- Icechunk, VirtualiZarr, kerchunk --------------------------------------------------------------------------------


def repository(path: Path) -> Any:
    icechunk = needed("icechunk")
    made = icechunk.Repository.create(icechunk.local_filesystem_storage(str(path / "repository")))
    session = made.writable_session("main")
    filled(session.store)
    session.commit("data")
    return made


def icechunk_store(path: Path) -> Any:
    return repository(path).readonly_session("main").store


def icechunk_session(path: Path) -> Any:
    return repository(path).readonly_session("main")


def icechunk_writable(path: Path) -> Any:
    return repository(path).writable_session("main").store


def netcdf(path: Path) -> str:
    """Write the dataset as a netCDF file; return its path."""
    needed("netCDF4")
    file = str(path / "a.nc")
    dataset().to_netcdf(file, engine="netcdf4", encoding={"u": {"chunksizes": (2, 3), "zlib": True}})
    return file


def manifest_store(path: Path) -> Any:
    parsers, registry = needed("virtualizarr.parsers"), needed("obspec_utils.registry")
    known = registry.ObjectStoreRegistry({"file://": needed("obstore.store").LocalStore()})
    return parsers.HDFParser()(url=f"file://{netcdf(path)}", registry=known)


def references(path: Path) -> dict[str, Any]:
    made: dict[str, Any] = needed("kerchunk.hdf").SingleHdf5ToZarr(netcdf(path), inline_threshold=0).translate()
    return made


def references_json(path: Path) -> Any:
    (path / "references.json").write_text(json.dumps(references(path)))
    return f"reference::{path}/references.json"


def references_parquet(path: Path) -> Any:
    needed("fastparquet")
    needed("kerchunk.df").refs_to_dataframe(references(path), str(path / "references.parq"))
    return f"reference::{path}/references.parq"


# --- URLs, paths, files ----------------------------------------------------------------------------------------------


def upath(path: Path) -> Any:
    filled(str(path / "a.zarr"))
    return needed("upath").UPath(f"file://{path}/a.zarr")


def pipeline(path: Path) -> Any:
    zip_store(path)
    return f"file://{path}/a.zip|zip:|zarr3:"


def open_file(path: Path) -> Any:
    zip_store(path)
    return (path / "a.zip").open("rb")


GUESTS: dict[str, Make] = {
    "LocalStore": local_store,
    "MemoryStore": memory_store,
    "FsspecStore": fsspec_store,
    "ObjectStore": object_store,
    "ZipStore": zip_store,
    "WrapperStore": wrapper_store,
    "LoggingStore": logging_store,
    "Icechunk": icechunk_store,
    "Icechunk session": icechunk_session,
    "Icechunk, writable": icechunk_writable,
    "ManifestStore": manifest_store,
    "kerchunk, JSON": references_json,
    "kerchunk, Parquet": references_parquet,
    "UPath": upath,
    "pipeline": pipeline,
    "open file": open_file,
}
