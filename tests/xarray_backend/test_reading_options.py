"""Options of reading: what is missing, what a fill value means, blocks of shards, N5, and warnings."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.xarray_backend.samples import assert_same
from xarray_backend import concat_stores, open_zarrds, to_zarrds
from zarrds.errors import MissingChunkError
from zarrds.n5 import N5Store
from zarrds.storage import MemoryStore


@pytest.mark.usefixtures("zarr_format")
def test_missing_chunks_raise_on_request() -> None:
    store = MemoryStore()
    to_zarrds(xr.Dataset({"u": ("t", np.array([1.0, 2.0, np.nan, np.nan]))}), store, encoding={"u": {"chunks": 2}})
    for options in ({"chunks": None}, {}):
        ds = open_zarrds(store, read_missing="raise", **options)
        np.testing.assert_array_equal(ds.u[:2], [1, 2])
        with pytest.raises(MissingChunkError):
            ds.u.load(scheduler="sync") if options == {} else ds.u.load()
    lazy = xr.open_dataset(store, engine="zarrds", read_missing="raise")
    array = lazy.u.variable._data
    while hasattr(array, "array"):
        array = array.array
    rebuilt, arguments = array.__reduce__()
    assert rebuilt(*arguments)._read_missing == "raise"
    with pytest.raises(ValueError, match="read_missing"):
        open_zarrds(store, read_missing="no")
    assert np.isnan(open_zarrds(store).u.values[2:]).all()


@pytest.mark.parametrize("mask", [None, True, False])
def test_what_a_fill_value_means(mask: bool | None, zarr_format: int) -> None:
    store = MemoryStore()
    group = zarrds.group(store, zarr_format=zarr_format)
    z = group.create_dataset("u", shape=4, chunks=2, dtype="i4", fill_value=7)
    z.attrs["_ARRAY_DIMENSIONS"] = ["t"]
    if zarr_format == 3:
        z = group.create_dataset(
            "u", shape=4, chunks=2, dtype="i4", fill_value=7, dimension_names=["t"], overwrite=True
        )
    z[:2] = [1, 7]
    found = xr.open_dataset(store, engine="zarrds", mask_fill_value=mask, consolidated=False).u
    masked = zarr_format == 2 if mask is None else mask
    expected = np.array([1, np.nan, np.nan, np.nan]) if masked else np.array([1, 7, 7, 7], "i4")
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    with pytest.raises(ValueError, match="contradict"):
        xr.open_dataset(store, engine="zarrds", mask_fill_value=True, use_zarr_fill_value_as_mask=False)


def test_the_attribute_of_the_fill_value_is_in_sight_where_nothing_is_masked() -> None:
    store = MemoryStore()
    array = zarrds.open_group(store, mode="w", zarr_format=2).create_dataset("u", data=[1, 2], fill_value=-1)
    array.attrs["_ARRAY_DIMENSIONS"] = ["t"]
    options: dict[str, Any] = {"engine": "zarrds", "consolidated": False, "use_zarr_fill_value_as_mask": False}
    plain = xr.open_dataset(store, mask_and_scale=False, **options)
    assert (plain.u.attrs["_FillValue"], plain.u.dtype) == (-1, np.dtype("i8"))
    assert xr.open_dataset(store, **options).u.dtype == np.dtype("i8")


class NeverConsolidated(dict[str, bytes]):
    """A store that says what some of Zarr-Python 3 say."""

    supports_consolidated_metadata = False


def test_stores_that_never_have_consolidated_metadata_are_read_without() -> None:
    store = NeverConsolidated()
    ds = xr.Dataset({"u": ("t", [1, 2])})
    to_zarrds(ds, store, consolidated=False)
    for consolidated in (True, False, None):  # no error, and no warning
        assert_same(xr.open_dataset(store, engine="zarrds", consolidated=consolidated), ds)
        joined = concat_stores([store, store], "t", consolidated=consolidated)
        assert joined.u.values.tolist() == [1, 2, 1, 2]


def test_a_block_for_each_shard() -> None:
    store = MemoryStore()
    ds = xr.Dataset({"u": (("t", "x"), np.arange(32.0).reshape(8, 4)), "v": ("t", np.arange(8))})
    to_zarrds(ds, store, zarr_format=3, encoding={"u": {"chunks": (2, 2), "shards": (4, 4)}, "v": {"chunks": 3}})
    found = open_zarrds(store, shards_as_chunks=True)
    assert found.u.chunks == ((4, 4), (4,))
    assert found.v.chunks == ((3, 3, 2),)
    assert open_zarrds(store).u.chunks == ((2,) * 4, (2,) * 2)
    assert found.u.encoding["chunks"] == (2, 2)
    assert_same(found, ds)


@pytest.mark.filterwarnings("ignore:Failed to open Zarr store:RuntimeWarning")
@pytest.mark.parametrize("chunk", [None, 2])
def test_n5_keeps_missing_values_of_floats_and_zeros_of_integers(tmp_path: Any, chunk: int | None) -> None:
    ds = xr.Dataset(
        {"u": (("t", "x"), np.array([[1.0, np.nan], [0.0, 3.0]])), "n": ("t", np.array([0, 5]))}, {"t": [1.5, 2.0]}
    )
    ds["p"] = ("t", [0.5, np.nan], {}, {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1})
    path = str(tmp_path / "a.n5")
    to_zarrds(ds if chunk is None else ds.chunk(t=chunk), N5Store(path))
    for part in (ds, xr.concat([ds, ds], "t")):
        assert_same(open_zarrds(N5Store(path), consolidated=False), part)
        assert_same(open_zarrds(path, consolidated=False), part)
        if part is ds:
            to_zarrds(ds, N5Store(path), append_dim="t")


def test_one_warning_for_each_store(tmp_path: Any, zarr_format: int) -> None:
    ds = xr.Dataset({"u": ("t", np.arange(3.0))})
    for name in "ab":
        to_zarrds(ds, tmp_path / name, consolidated=False)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for name in "abab":
            xr.open_dataset(tmp_path / name, engine="zarrds")
            xr.open_dataset(zarrds.storage.DirectoryStore(tmp_path / name), engine="zarrds")
    assert len([each for each in seen if "consolidated" in str(each.message)]) == 2


def test_options_travel(tmp_path: Any) -> None:
    to_zarrds(xr.Dataset({"u": ("t", np.full(2, np.nan))}), tmp_path / "a.zarr")
    ds = pickle.loads(pickle.dumps(xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", read_missing="raise")))
    with pytest.raises(MissingChunkError):
        ds.u.load()
