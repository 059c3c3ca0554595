"""Many stores as one lazy dataset: what is read, what is compared, and what is missing."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zarrds
from tests.faults.cloud import FaultyCloud
from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import assert_same, is_document
from xarray_backend import concat_stores, open_zarrds, to_zarrds
from zarrds.errors import ArgumentError, ArgumentTypeError, GroupNotFoundError, SelfOverwriteError
from zarrds.storage import FSStore, MemoryStore

CUTS = ((0, 3), (3, 4), (4, 8), (8, 10))


def whole() -> xr.Dataset:
    return xr.Dataset(
        {
            "u": (("t", "x"), np.arange(60.0).reshape(10, 6), {"units": "m"}),
            "n": (("x", "t"), np.arange(60).reshape(6, 10)),
            "c": ((), 3),
            "name": ("t", np.array(list("abcdefghij"))),
        },
        {
            "t": pd.date_range("2026-01-01", periods=10).astype("M8[ns]"),
            "x": np.arange(6),
            "lon": ("x", np.linspace(0, 1, 6)),
            "aux": ("t", np.arange(10)),
        },
        {"title": "all"},
    )


def write_parts(folder: Path, ds: xr.Dataset, **options: Any) -> list[str]:
    paths = [str(folder / f"{number}.zarr") for number in range(len(CUTS))]
    for path, (start, stop) in zip(paths, CUTS, strict=True):
        to_zarrds(ds.isel(t=slice(start, stop)).chunk(t=2), path, mode="w", **options)
    return paths


@pytest.mark.parametrize("chunks", [None, "stored"])
def test_ragged_stores_are_one_dataset(tmp_path: Path, zarr_format: int, chunks: Any) -> None:
    """The times of each store have their own units ("days since" its first day)."""
    ds = whole()
    paths = write_parts(tmp_path, ds)
    found = concat_stores(paths, "t", chunks=chunks)
    assert found.attrs == ds.attrs
    assert found.u.attrs == ds.u.attrs
    assert_same(found, ds)
    if chunks:
        assert found.u.chunks == ((2, 1, 1, 2, 2, 2), (6,))


POINTS = {"t": xr.DataArray([0, 9, 4, 3], dims="p"), "x": xr.DataArray([5, 0, 2, 2], dims="p")}
SELECTIONS = [
    {"t": [7, 1, 1, 9, -1], "x": slice(None, None, -2)},
    {"t": slice(None, None, -3)},
    {"t": slice(1, 9, 4)},
    {"t": slice(3, 3)},
    {"t": -2, "x": [1]},
    {"t": [], "x": 0},
    POINTS,
    {"t": POINTS["t"]},
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_selections_read_what_the_whole_gives(tmp_path: Path, selection: Any) -> None:
    ds = whole()
    found = concat_stores(write_parts(tmp_path, ds), "t", chunks=None).isel(selection)
    xr.testing.assert_identical(found.compute(), ds.isel(selection))


def test_packed_variables_are_decoded_store_by_store(tmp_path: Path) -> None:
    ds = whole()[["u"]]
    paths = write_parts(tmp_path, ds)
    packed = {"u": {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}}
    to_zarrds(ds.isel(t=slice(4, 8)), paths[2], mode="w", encoding=packed)
    found = concat_stores(paths, "t", chunks=None)
    xr.testing.assert_equal(found.compute(), ds)
    xr.testing.assert_equal(found.isel(POINTS).compute(), ds.isel(POINTS))


def test_patterns_and_groups(tmp_path: Path) -> None:
    ds = whole()
    write_parts(tmp_path, ds, group="a/b")
    xr.testing.assert_identical(concat_stores(f"{tmp_path}/*.zarr", "t", group="a/b").compute(), ds)
    with pytest.raises(GroupNotFoundError, match="no store matches"):
        concat_stores(f"{tmp_path}/*.nothing", "t")


def test_absent_stores(tmp_path: Path, zarr_format: int) -> None:
    ds = whole()
    paths = write_parts(tmp_path, ds)
    zarrds.storage.rmdir(paths[1])
    with pytest.raises(FileNotFoundError, match=r"1 of 4 stores are not there, the first is .*1\.zarr"):
        concat_stores(paths, "t")
    xr.testing.assert_identical(concat_stores(paths, "t", missing="skip").compute(), ds.drop_isel(t=3))
    with pytest.raises(ArgumentError, match="lengths="):
        concat_stores(paths, "t", missing="fill")
    found = concat_stores(paths, "t", missing="fill", lengths={paths[1]: 1}).compute()
    expected = ds.copy(deep=True)
    expected.u[3], expected.n[:, 3], expected.name[3], expected.aux[3] = np.nan, 0, "", 0
    xr.testing.assert_identical(found, expected)  # times are evenly spaced, so that the one that lacks is known


def test_a_coordinate_that_is_not_even_cannot_be_filled(tmp_path: Path) -> None:
    ds = whole().assign_coords(t=np.arange(10) ** 2)
    paths = write_parts(tmp_path, ds)
    zarrds.storage.rmdir(paths[1])
    with pytest.raises(ArgumentError, match="drop_variables='t'"):
        concat_stores(paths, "t", missing="fill", lengths=[None, 1, None, None])
    found = concat_stores(paths, "t", missing="fill", lengths=[None, 1, None, None], drop_variables="t")
    assert np.isnan(found.u[3]).all()
    assert "t" not in found.coords


def test_variables_that_some_stores_lack(tmp_path: Path) -> None:
    ds = whole()
    paths = write_parts(tmp_path, ds)
    to_zarrds(ds.drop_vars("u").isel(t=slice(3, 4)), paths[1], mode="w")
    with pytest.raises(ArgumentError, match=r"'u' is not in all stores: 1 of 4 lack it, the first is .*1\.zarr"):
        concat_stores(paths, "t")
    assert "u" not in concat_stores(paths, "t", missing="skip")
    assert (
        np.isnan(concat_stores(paths, "t", missing="fill").u).values.any(axis=1).tolist()
        == [False] * 3 + [True] + [False] * 6
    )


def test_other_variables_are_compared(tmp_path: Path, zarr_format: int) -> None:
    ds = whole()
    paths = write_parts(tmp_path, ds)
    to_zarrds(ds.isel(t=slice(3, 4)), paths[1], mode="w", encoding={"lon": {"chunks": (4,)}})  # other chunks: equal
    concat_stores(paths, "t")
    to_zarrds(ds.isel(t=slice(8, 10)).assign_coords(lon=("x", np.zeros(6))), paths[3], mode="w")
    with pytest.raises(ArgumentError, match=r"'lon' .*3\.zarr.*compat='override'"):
        concat_stores(paths, "t")
    assert concat_stores(paths, "t", compat="override").lon.identical(ds.lon)


def test_stores_that_do_not_fit(tmp_path: Path) -> None:
    ds = whole()
    paths = write_parts(tmp_path, ds)
    to_zarrds(ds.isel(t=slice(3, 4), x=slice(0, 2)), paths[1], mode="w")
    with pytest.raises(ArgumentError, match="does not fit"):
        concat_stores(paths, "t", compat="override")
    with pytest.raises(ArgumentError, match="not a dimension"):
        concat_stores(paths, "y")
    with pytest.raises(ArgumentTypeError, match="list of one"):
        concat_stores(MemoryStore(), "t")  # type: ignore[arg-type]


def test_stores_without_consolidated_metadata_give_one_warning(tmp_path: Path, zarr_format: int) -> None:
    ds = whole()
    paths = write_parts(tmp_path, ds, consolidated=False)
    with pytest.warns(RuntimeWarning, match="4 of 4 stores have no consolidated metadata") as warned:
        found = concat_stores(paths, "t")
    assert len(warned) == 1
    assert_same(found, ds)
    concat_stores(paths, "t", consolidated=False)
    with pytest.raises(ArgumentError, match="consolidated metadata is not in"):
        concat_stores(paths, "t", consolidated=True)


def test_names_of_tasks_follow_the_data(tmp_path: Path) -> None:
    paths = write_parts(tmp_path, whole())
    one, same = concat_stores(paths, "t"), concat_stores(paths, "t")
    assert one.u.data.name == same.u.data.name
    assert concat_stores(paths[::-1], "t").u.data.name != one.u.data.name
    array = zarrds.open_array(f"{paths[2]}/u", mode="r+")
    array[0] = -1
    assert concat_stores(paths, "t").u.data.name != one.u.data.name


@pytest.mark.parametrize("packed", [False, True])
def test_opening_reads_no_values(packed: bool) -> None:
    stores = [CountingStore(MemoryStore()) for _ in CUTS]
    for number, (start, stop) in enumerate(CUTS):
        ds, encoding = whole().isel(t=slice(start, stop)), {"dtype": "i2", "_FillValue": -1}
        encoding["scale_factor"] = 1.0 + number * packed
        to_zarrds(ds.chunk(t=2), stores[number], encoding={"u": encoding})
    before = [len(store.counts.log) for store in stores]
    names = [concat_stores(stores, "t").u.data.name for _ in range(2)]
    logs = [store.counts.log[n:] for store, n in zip(stores, before, strict=True)]
    keys = [key for log in logs for verb, items in log if verb == "get" for key, _ in items]
    assert not {key.split("/")[0] for key in keys if not is_document(key)} & {"u", "n", "name", "aux"}
    assert names[0] == names[1]
    zarrds.open_array(stores[1], path="u", mode="r+").attrs["scale_factor"] = 7.0
    zarrds.consolidate_metadata(stores[1])
    assert concat_stores(stores, "t").u.data.name != names[0]


def test_pickles_read_without_metadata(tmp_path: Path) -> None:
    ds = whole()
    for chunks in (None, "stored"):
        assert_same(pickle.loads(pickle.dumps(concat_stores(write_parts(tmp_path, ds), "t", chunks=chunks))), ds)


def test_writing_over_a_part_is_refused(tmp_path: Path) -> None:
    ds = whole()
    paths = write_parts(tmp_path, ds)
    for chunks in (None, "stored"):
        with pytest.raises(SelfOverwriteError):
            to_zarrds(concat_stores(paths, "t", chunks=chunks), paths[2], mode="w")
    to_zarrds(concat_stores(paths, "t"), paths[2], mode="replace")
    assert_same(open_zarrds(paths[2]), ds)


@pytest.mark.parametrize("format_", [2, 3])
def test_remote_stores_are_read_in_a_few_batches(format_: int) -> None:
    """40 stores: no request waits for that of another store, and each store gets the same few."""
    cloud = FaultyCloud(latency=0.001 * format_)  # clouds with the same options are taken for the same one
    stores = [FSStore(f"bucket/{n}.zarr", fs=cloud) for n in range(40)]
    for n, store in enumerate(stores):
        ds = xr.Dataset({"u": ("t", [n, n + 0.5])}, {"t": [2 * n, 2 * n + 1], "x": [1, 2]})
        to_zarrds(ds, store, zarr_format=format_)
    cloud.asked.clear()
    cloud.most_running = 0
    found = concat_stores(stores, "t", chunks=None)
    assert len(cloud.asked) <= 3 * 40 + 2  # metadata, t and x of each
    assert cloud.most_running >= 30
    assert found.u.sum() == sum(2 * n + 0.5 for n in range(40))
