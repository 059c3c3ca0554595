"""Writing to the store that is read, where nothing is deleted first."""

from __future__ import annotations

import dask
import dask.array
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


REGION = {"t": slice(2, 6)}


def in_region(path, change, **options):
    ds = xr.open_dataset(path, engine=options.pop("engine", "zarrds"), **{"chunks": {}, **options})
    to_zarrds(change(ds.drop_vars("t")), path, region=REGION)
    return xr.open_dataset(path, engine="zarrds").u


@pytest.mark.parametrize("engine", ["zarrds", "zarr"])
@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.isel(REGION).isel(t=slice(None, None, -1)),
        lambda ds: ds.roll(t=2).isel(REGION),
        lambda ds: (ds - ds.mean("t")).isel(REGION),
        lambda ds: ds.isel(t=[5, 4, 3, 2]),
        lambda ds: dask.optimize(ds.roll(t=2).isel(REGION) + 1)[0],
    ],
)
def test_blocks_that_move_in_a_region_are_refused(path, change, engine):
    for options in ({}, {"inline_array": True}):
        with pytest.raises(SelfOverwriteError, match="persist"):
            in_region(path, change, engine=engine, **options)
    np.testing.assert_array_equal(xr.open_dataset(path, engine="zarrds").u, DATA)


@pytest.mark.parametrize("chunks", [{}, {"t": 4}, {"t": -1}])
@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.isel(REGION).chunk(t=4, x=-1) * 2,
        lambda ds: (ds * 2).isel(REGION).chunk(t=4, x=-1),
        lambda ds: ds.isel(t=[2, 3, 4, 5]).chunk(t=4, x=-1) * 2,
        lambda ds: (ds.isel(t=slice(None, None, -1)).isel(t=slice(5, 1, -1)) * 2).chunk(t=4, x=-1),
        lambda ds: (ds.isel(REGION) * 2 + ds.isel(t=0) - ds.isel(t=0)).chunk(t=4, x=-1),
    ],
)
def test_a_region_may_be_made_of_itself_and_of_what_stays(path, change, chunks):
    expected = DATA.copy()
    expected[2:6] *= 2
    np.testing.assert_array_equal(in_region(path, change, chunks=chunks), expected)


def test_a_slice_may_be_read_changed_and_written_back(path):
    np.testing.assert_array_equal(in_region(path, lambda ds: ds.isel(REGION) * 2)[2:6], DATA[2:6] * 2)
    ds = xr.open_dataset(path, engine="zarrds", chunks={})
    to_zarrds(ds.isel(t=slice(0, 4)), path, append_dim="t", mode="a-")
    np.testing.assert_array_equal(xr.open_dataset(path, engine="zarrds").u[8:], ds.u[:4])


def test_what_was_turned_around_before_it_was_chunked_is_refused(path):
    ds = xr.open_dataset(path, engine="zarrds").drop_vars("t").isel(t=slice(None, None, -1))
    with pytest.raises(SelfOverwriteError):
        to_zarrds(ds.chunk(t=2), path, mode="a")
    to_zarrds(ds.chunk(t=-1), path, mode="a")  # one task
    np.testing.assert_array_equal(xr.open_dataset(path, engine="zarrds").u, DATA[::-1])


def test_variables_are_not_made_of_ones_that_are_overwritten(path):
    to_zarrds(xr.Dataset({"v": (("t", "x"), -DATA)}).chunk(t=2), path, mode="a")
    ds = xr.open_dataset(path, engine="zarrds", chunks={})
    for moved in (ds.assign(u=ds.v, v=ds.u), ds.assign(u=ds.u.copy(data=DATA + 1), v=ds.u)):
        with pytest.raises(SelfOverwriteError, match=r"'u'|'v'"):
            to_zarrds(moved, path, mode="a")
    to_zarrds(ds.assign(u=ds.u + 1, v=ds.u * 2), path, mode="a")  # read once for both
    found = xr.open_dataset(path, engine="zarrds")
    np.testing.assert_array_equal(found.u, DATA + 1)
    np.testing.assert_array_equal(found.v, DATA * 2)
    to_zarrds(found.assign(u=found.v, v=found.u), path, mode="a")  # no tasks: read before anything is written
    found = xr.open_dataset(path, engine="zarrds")
    np.testing.assert_array_equal(found.u, DATA * 2)
    np.testing.assert_array_equal(found.v, DATA + 1)


def test_consolidated_metadata_never_go_stale(path):
    more = xr.Dataset({"u": (("t", "x"), DATA)}, {"t": np.arange(8, 16)})
    to_zarrds(more, path, append_dim="t", consolidated=False)
    assert xr.open_dataset(path, engine="zarrds").sizes["t"] == 16
    to_zarrds(xr.Dataset({"new": ("t", np.arange(16))}), path, mode="a", consolidated=False)
    assert "new" in xr.open_dataset(path, engine="zarrds", consolidated=True)


def test_an_array_that_dask_opened_is_not_deleted(path):
    pytest.importorskip("zarr", reason="what dask's own from_zarr opens")
    ds = xr.Dataset({"u": (("t", "x"), dask.array.from_zarr(path, "u"))})
    for options in ({"mode": "w"}, {"mode": "a"}):
        with pytest.raises(SelfOverwriteError):
            to_zarrds(ds.isel(t=slice(None, None, -1)), path, **options)
    np.testing.assert_array_equal(xr.open_dataset(path, engine="zarrds").u, DATA)
