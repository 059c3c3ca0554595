"""Calls whose types mypy checks as in a program of a user (`make check`); nothing here runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import xarray as xr

import xarray_backend
import zarrds
import zarrds.dask
from xarray_backend import to_zarrds


def readme() -> None:
    """Open, write and read an array, as the README does."""
    z = zarrds.open("new.zarr", mode="w", shape=(1000, 1000), chunks=(100, 100), dtype="i4", compressor=zarrds.Zstd(5))
    assert_type(z, zarrds.Array)
    z[0, :] = np.arange(1000)
    z.append(np.zeros((1, 1000), "i4"))


def stores(path: Path, mapping: dict[str, bytes]) -> None:
    """Pass all kinds of stores."""
    assert_type(zarrds.open_group(path), zarrds.Group)
    assert_type(zarrds.open_array(str(path), mode="r"), zarrds.Array)
    assert_type(zarrds.open(os.fspath(path)), zarrds.Array | zarrds.Group)
    zarrds.open_array(mapping, shape=4)
    zarrds.open_array(zarrds.storage.MemoryStore(), shape=np.int64(4), chunks=False)
    zarrds.copy_store(mapping, path)


def codecs() -> None:
    """Pass all kinds of codecs."""
    zarrds.create((4, 4), chunks=(2, None), compressor=None, filters=[zarrds.Delta("i4")], dtype=np.int32)
    zarrds.create([4], compressor={"id": "zlib", "level": 1}, dtype=np.dtype("f8"))
    spec: Any = {"name": "gzip", "configuration": {"level": 1}}
    zarrds.create(4, zarr_format=3, compressors=[spec], shards=4, chunks=2, dtype="string")


def wrong() -> None:
    """Make mistakes that mypy finds."""
    zarrds.open_array("a.zarr", mode="q")  # type: ignore[arg-type]
    zarrds.create(4, order="X", compressor=3)  # type: ignore[arg-type]
    zarrds.open_group(3)  # type: ignore[arg-type]


def members(root: zarrds.Group) -> None:
    """Find arrays and groups in a group, by names and in loops."""
    assert_type(root["x"], zarrds.Array | zarrds.Group)
    root["x"][:10] = root["x"][:10].mean(axis=0)  # the member may be an array: no check is needed
    root["x"].append(np.zeros(3))
    assert_type(root.create_group("g"), zarrds.Group)
    assert_type(root.require_group("g")["x"], zarrds.Array | zarrds.Group)
    for _, group in root.groups():
        assert_type(group, zarrds.Group)
    for member in root.values():
        assert_type(member, zarrds.Array | zarrds.Group)
        if isinstance(member, zarrds.Array):
            assert_type(member.shape, tuple[int, ...])
    assert_type(root.members(), tuple[tuple[str, zarrds.Array | zarrds.Group], ...])
    assert_type(zarrds.open_consolidated("a.zarr"), zarrds.Array | zarrds.Group)


def jobs(z: zarrds.Array, root: zarrds.Group, now: bool) -> None:
    """Prepare and compute jobs."""
    x = zarrds.dask.from_zarr(z)
    assert_type(zarrds.dask.to_zarr(x, "a.zarr"), zarrds.Array)
    assert_type(zarrds.dask.to_zarr(x, "a.zarr", compute=False, align="rechunk"), zarrds.dask.Job[zarrds.Array])
    assert_type(zarrds.dask.to_zarr(x, z, compute=now), zarrds.Array | zarrds.dask.Job[zarrds.Array])
    assert_type(zarrds.dask.store([x], [z]), list[zarrds.Array])
    assert_type(zarrds.dask.rechunk(z, "b.zarr", chunks=3).compute(), zarrds.Array)
    assert_type(zarrds.dask.rechunk(root, "b.zarr", chunks={"x": 3}).compute(), zarrds.Group)
    assert_type(zarrds.dask.convert(root, to=3).compute(), zarrds.Group)
    assert_type(zarrds.dask.convert(root, "b.zarr", report=True).compute(), zarrds.dask.CopyReport)
    assert_type(zarrds.dask.copy(z, root).compute(), zarrds.dask.CopyReport)
    assert_type(zarrds.dask.digest(z).compute(progress=True), str)


def datasets(ds: xr.Dataset) -> None:
    """Write datasets."""
    assert_type(to_zarrds(ds, "a.zarr", mode="w"), xarray_backend.ZarrdsStore)
    assert_type(to_zarrds(ds, "a.zarr", dry_run=True), xarray_backend.WritePlan)
    to_zarrds(ds, "a.zarr", compute=False, append_dim="time").compute()


def wrong_keywords(z: zarrds.Array, ds: xr.Dataset) -> None:
    """Make mistakes in keywords, which mypy finds in spite of overloads."""
    zarrds.dask.to_zarr(zarrds.dask.from_zarr(z), "a.zarr", align="maybe")  # type: ignore[call-overload]
    zarrds.dask.rechunk(z, "a.zarr", chunk=3)  # type: ignore[call-overload]
    to_zarrds(ds, "a.zarr", apend_dim="time")  # type: ignore[call-overload]
