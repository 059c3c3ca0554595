"""Writing to the store that is read, where nothing is deleted first."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xarray_backend import to_zarrds
from zarrds.errors import SelfOverwriteError

DATA = np.arange(48.0).reshape(8, 6)


@pytest.fixture(params=[2, 3])
def path(request, tmp_path):
    ds = xr.Dataset({"u": (("t", "x"), DATA)}, {"t": np.arange(8)})
    to_zarrds(ds.chunk(t=2), str(tmp_path / "a"), mode="w", zarr_format=request.param)
    return str(tmp_path / "a")


@pytest.mark.parametrize("engine", ["zarrds", "zarr"])
@pytest.mark.parametrize(
    "change", [lambda ds: ds.isel(t=slice(None, None, -1)), lambda ds: ds.roll(t=2), lambda ds: ds - ds.mean("t")]
)
def test_blocks_that_move_are_refused(path, change, engine):
    ds = xr.open_dataset(path, engine=engine, chunks={})
    with pytest.raises(SelfOverwriteError, match="persist"):
        to_zarrds(change(ds).drop_vars("t"), path, mode="a")
    np.testing.assert_array_equal(xr.open_dataset(path, engine="zarrds").u, DATA)
    to_zarrds(change(ds).drop_vars("t").persist(), path, mode="a")
    np.testing.assert_array_equal(
        xr.open_dataset(path, engine="zarrds").u, change(xr.Dataset({"u": (("t", "x"), DATA)})).u
    )


@pytest.mark.parametrize("engine", ["zarrds", "zarr"])
def test_blocks_that_stay_are_written(path, engine):
    ds = xr.open_dataset(path, engine=engine, chunks={})
    ds["twice"] = ds.u * 2
    to_zarrds(ds, path, mode="a")
    found = xr.open_dataset(path, engine="zarrds")
    np.testing.assert_array_equal(found.u, DATA)
    np.testing.assert_array_equal(found.twice, 2 * DATA)
    to_zarrds(ds[["u"]] + 1, path, mode="a")
    np.testing.assert_array_equal(xr.open_dataset(path, engine="zarrds").u, DATA + 1)


def test_consolidated_metadata_never_go_stale(path):
    more = xr.Dataset({"u": (("t", "x"), DATA)}, {"t": np.arange(8, 16)})
    to_zarrds(more, path, append_dim="t", consolidated=False)
    assert xr.open_dataset(path, engine="zarrds").sizes["t"] == 16
    to_zarrds(xr.Dataset({"new": ("t", np.arange(16))}), path, mode="a", consolidated=False)
    assert "new" in xr.open_dataset(path, engine="zarrds", consolidated=True)
