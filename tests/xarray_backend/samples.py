"""Datasets and comparisons that several tests use."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import zarrds
from zarrds._store import is_writer_key


def waves(n: int = 8, chunk: int | None = None) -> xr.Dataset:
    """Two dimensions, coordinates with and without index, attributes."""
    values = np.random.default_rng(0).normal(size=(n, 6))
    ds = xr.Dataset(
        {"u": (("t", "x"), values, {"units": "m/s"}), "v": ("t", np.arange(n, dtype="i4"))},
        coords={"t": np.arange(n) * 2, "x": np.linspace(0, 1, 6), "label": ("x", list("abcdef"))},
        attrs={"title": "waves", "levels": [1, 2]},
    )
    return ds if chunk is None else ds.chunk({"t": chunk, "x": chunk})


def assert_same(found: xr.Dataset, expected: xr.Dataset) -> None:
    """Identical, dtypes too."""
    xr.testing.assert_identical(found.compute(), expected.compute())
    for name, var in expected.variables.items():
        assert found[name].dtype == var.dtype, name


def need_zarr() -> None:
    """Skip where the zarr library is not installed."""
    pytest.importorskip("zarr", reason="compares with xarray's own engine, which needs the zarr library")


def chunk_key(name: str, *coords: int) -> str:
    """Key of a chunk of a variable, in the format that is set as default."""
    if zarrds.get_config().default_format == 2:
        return f"{name}/{'.'.join(map(str, coords))}"
    return f"{name}/c/{'/'.join(map(str, coords))}"


def is_document(key: str) -> bool:
    """Whether a key is that of metadata, or says that a writer is at work."""
    name = key.rpartition("/")[2]
    return is_writer_key(key) or name in (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")
