"""Stores of which each is one step along a new dimension: `concat_stores` with a name that no variable has."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from tests.faults.cloud import FaultyCloud
from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import assert_same
from xarray_backend import concat_stores, open_zarrds, to_zarrds
from xarray_backend._compat import indexing
from xarray_backend.joined import FillPart, JoinedArray, StepArray
from xarray_backend.lazy import ZarrdsArrayWrapper
from zarrds.errors import ArgumentError, SelfOverwriteError
from zarrds.storage import FSStore, MemoryStore

COUNT = 4


def step(number: int) -> xr.Dataset:
    """One model run: fields without time, a scalar time, and what belongs to the grid."""
    values = np.arange(12.0).reshape(3, 4) + 100 * number
    return xr.Dataset(
        {
            "u": (("y", "x"), values, {"units": "m", "grid_mapping": "crs"}),
            "members": ((), 5 + number),
            "name": ((), f"run {number}"),
            "crs": ((), 0, {"grid_mapping_name": "latitude_longitude"}),
        },
        {
            "time": pd.Timestamp("2026-01-01") + number * pd.Timedelta("6h"),
            "issued": ((), 10 * number),
            "x": np.arange(4),
            "lon": (("y", "x"), np.linspace(0, 1, 12).reshape(3, 4)),
        },
        {"title": "runs"},
    )


def expected() -> xr.Dataset:
    stacked = [step(number).drop_vars(["crs", "lon"]) for number in range(COUNT)]
    found = xr.concat(stacked, "time", data_vars="all", coords="different", compat="equals")
    return found.assign(crs=step(0).crs.drop_vars(["time", "issued"])).assign_coords(
        lon=step(0).lon.drop_vars(["time", "issued"])
    )


def write_steps(folder: Path, **options: Any) -> list[str]:
    paths = [str(folder / f"{number}.zarr") for number in range(COUNT)]
    for number, path in enumerate(paths):
        to_zarrds(step(number).chunk(y=2), path, mode="w", **options)
    return paths


@pytest.mark.parametrize("chunks", [None, "stored"])
@pytest.mark.parametrize("consolidated", [True, False])
def test_each_store_is_a_step(tmp_path: Path, zarr_format: int, chunks: Any, consolidated: bool) -> None:
    paths = write_steps(tmp_path, consolidated=consolidated)
    found = concat_stores(paths, "time", chunks=chunks, consolidated=consolidated)
    assert found.attrs == {"title": "runs"}
    assert (found.u.dims, found.members.dims, found.crs.dims) == (("time", "y", "x"), ("time",), ())
    assert set(found.coords) == {"time", "issued", "x", "lon"}
    xr.testing.assert_equal(found.compute(), expected())
    if chunks:
        assert found.u.chunks == ((1,) * COUNT, (2, 1), (4,))
        xr.testing.assert_equal(pickle.loads(pickle.dumps(found)).compute(), expected())


def test_what_was_opened_is_written_again(tmp_path: Path) -> None:
    encoding = {"u": {"chunks": (1, 2), "shards": (3, 4)}}
    paths = write_steps(tmp_path, zarr_format=3, encoding=encoding)
    found = concat_stores(paths, "time")
    assert found.u.encoding["shards"] == (1, 3, 4)
    to_zarrds(found, tmp_path / "all.zarr", zarr_format=3)
    assert_same(open_zarrds(tmp_path / "all.zarr"), found)
    assert zarrds.open_array(tmp_path / "all.zarr" / "u").shards == (1, 3, 4)
    with pytest.raises(SelfOverwriteError):
        to_zarrds(found, paths[1], mode="w")
    transposed = {"u": {"filters": [{"name": "transpose", "configuration": {"order": [1, 0]}}]}}
    found = concat_stores(write_steps(tmp_path, zarr_format=3, encoding=transposed), "time")
    to_zarrds(found, tmp_path / "all.zarr", mode="w", zarr_format=3)
    xr.testing.assert_equal(open_zarrds(tmp_path / "all.zarr").compute(), expected())


def test_steps_without_a_coordinate(tmp_path: Path, zarr_format: int) -> None:
    found = concat_stores(write_steps(tmp_path), "run", chunks=None)
    assert "run" not in found.variables
    assert found.time.dims == ("run",)
    np.testing.assert_array_equal(found.time, expected().time)
    np.testing.assert_array_equal(found.u, expected().u)


def test_times_with_other_units_in_each_store_are_written_again_in_one_chunk(tmp_path: Path, zarr_format: int) -> None:
    paths = write_steps(tmp_path)
    to_zarrds(step(2), paths[2], mode="w", encoding={"time": {"units": "minutes since 2000-01-01"}})
    found = concat_stores(paths, "time", chunks=None)
    to_zarrds(found, tmp_path / "all.zarr")
    xr.testing.assert_equal(open_zarrds(tmp_path / "all.zarr").compute(), expected())
    assert zarrds.open_array(tmp_path / "all.zarr" / "time").chunks == (COUNT,)


POINTS = {"run": xr.DataArray([[0, 3], [1, 1]], dims=("p", "q")), "x": xr.DataArray([3, 0], dims="p")}
SELECTIONS = [{"run": [3, 0, 0, -1], "y": slice(None, None, -1)}, {"run": slice(None, None, -2)}, {"run": -2}, POINTS]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("selection", [*SELECTIONS, {"run": []}, {"run": slice(2, 2), "x": 1}], ids=str)
def test_selections(tmp_path: Path, selection: Any, packed: bool) -> None:
    """With other scale factors in one store, values are decoded store by store."""
    paths = write_steps(tmp_path)
    if packed:
        encoding = {"u": {"dtype": "i4", "scale_factor": 0.5, "_FillValue": -1}, "members": {"dtype": "i2"}}
        to_zarrds(step(2), paths[2], mode="w", encoding=encoding)
    found = concat_stores(paths, "run", chunks=None)
    whole = expected().swap_dims(time="run").reset_coords("time")
    for name in ("u", "members"):
        wanted = {dim: part for dim, part in selection.items() if dim in found[name].dims}
        np.testing.assert_array_equal(found[name].isel(wanted), whole[name].isel(wanted))


def test_steps_that_are_not_there(tmp_path: Path, zarr_format: int) -> None:
    paths = write_steps(tmp_path)
    zarrds.storage.rmdir(paths[1])
    with pytest.raises(FileNotFoundError, match="1 of 4 stores are not there"):
        concat_stores(paths, "time")
    assert concat_stores(paths, "time", missing="skip").sizes["time"] == 3
    found = concat_stores(paths, "time", missing="fill")
    assert np.isnan(found.u[1]).all()
    np.testing.assert_array_equal(found.time, expected().time)  # times are evenly spaced
    with pytest.raises(ArgumentError, match="lengths must be 1"):
        concat_stores(paths, "time", missing="fill", lengths=[None, 2, None, None])
    to_zarrds(step(1).drop_vars("u"), paths[1])
    with pytest.raises(ArgumentError, match="'u' is not in all stores"):
        concat_stores(paths, "time")
    assert np.isnan(concat_stores(paths, "time", missing="fill").u.values).any(axis=(1, 2)).tolist() == [0, 1, 0, 0]


def test_steps_that_do_not_fit(tmp_path: Path) -> None:
    paths = write_steps(tmp_path)
    with pytest.raises(ArgumentError, match="name of a variable that has dimensions"):
        concat_stores(paths, "lon")
    to_zarrds(step(1).isel(y=slice(0, 2)), paths[1], mode="w")
    with pytest.raises(ArgumentError, match="does not fit"):
        concat_stores(paths, "time", compat="override")
    to_zarrds(step(1).assign_coords(x=np.arange(1, 5)), paths[1], mode="w")
    with pytest.raises(ArgumentError, match="'x' does not have the dimension"):
        concat_stores(paths, "time")


@pytest.mark.parametrize("format_", [2, 3])
def test_remote_steps_are_read_in_a_few_batches(format_: int) -> None:
    cloud = FaultyCloud(latency=0.002 * format_)  # clouds with the same options are taken for the same one
    stores = [FSStore(f"bucket/step{n}.zarr", fs=cloud) for n in range(40)]
    for n, store in enumerate(stores):
        to_zarrds(xr.Dataset({"u": ("x", [n, n + 0.5])}, {"t": n, "x": [1, 2]}), store, zarr_format=format_)
    cloud.asked.clear()
    cloud.most_running = 0
    found = concat_stores(stores, "t", chunks=None)
    assert len(cloud.asked) <= 3 * 40 + 2  # metadata, t and x of each
    assert found.t.values.tolist() == list(range(40))
    cloud.asked.clear()
    assert found.u.sum() == sum(2 * n + 0.5 for n in range(40))
    assert len(cloud.asked) == 40
    assert cloud.most_running >= 30


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_selection_of_any_parts_is_that_of_numpy(data: Any) -> None:
    """Parts may be empty, and each is read once, whatever is asked for."""
    axis = data.draw(st.sampled_from([0, 1]))
    lengths = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=6).filter(any))
    shapes = [(n, 3) if axis == 0 else (3, n) for n in lengths]
    pieces = [
        np.arange(n * 3.0).reshape(shape) + 100 * at for at, (n, shape) in enumerate(zip(lengths, shapes, strict=True))
    ]
    parts: list[Any] = [ZarrdsArrayWrapper(zarrds.array(piece)) for piece in pieces]
    whole = np.concatenate(pieces, axis=axis)
    joined = indexing.LazilyIndexedArray(JoinedArray(parts, axis, whole.dtype))
    var, plain = xr.Variable(("a", "b"), joined), xr.Variable(("a", "b"), whole)
    key: dict[str, Any] = {}
    for dim, size in zip("ab", whole.shape, strict=True):
        positions = st.integers(-size, size - 1)
        slices = st.builds(slice, positions, positions, st.sampled_from([-2, -1, 1, 2, 3]))
        key[dim] = data.draw(st.one_of(positions, slices, st.lists(positions, max_size=5)))
    np.testing.assert_array_equal(var.isel(key), plain.isel(key))
    count = data.draw(st.integers(0, 6))
    points = {}
    for dim, n in zip("ab", whole.shape, strict=True):
        chosen = data.draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count))
        points[dim] = xr.Variable("p", np.array(chosen, int))
    np.testing.assert_array_equal(var.isel(points), plain.isel(points))


@pytest.mark.parametrize(
    "selection", [{"run": []}, {"run": slice(2, 2), "x": 1}, {"run": slice(0, 0, -1), "y": [2, 0]}]
)
def test_no_step_is_asked_for_nothing(selection: Any) -> None:
    stores = [CountingStore(MemoryStore()) for _ in range(2)]
    for number, store in enumerate(stores):
        to_zarrds(step(number), store)
    found = concat_stores(stores, "run", chunks=None)
    for store in stores:
        store.counts.log.clear()
    for name, dims in (("u", ("run", "y", "x")), ("name", ("run",))):
        wanted = {dim: part for dim, part in selection.items() if dim in dims}
        values = found[name].isel(wanted).values
        assert (values.shape[0], values.dtype) == (0, found[name].dtype)
        assert values.shape == found[name].isel(wanted).shape
    assert [store.counts.log for store in stores] == [[], []]


def test_a_step_is_what_numpy_gives_with_a_new_axis() -> None:
    scalar = StepArray(ZarrdsArrayWrapper(zarrds.array(np.float32(7))))
    assert scalar.shape == (1,)
    assert scalar[indexing.OuterIndexer((np.array([0, 0]),))].tolist() == [7, 7]
    assert scalar[indexing.VectorizedIndexer((np.zeros((2, 1), int),))].tolist() == [[7], [7]]
    row = StepArray(ZarrdsArrayWrapper(zarrds.array(np.arange(3))))
    points = indexing.VectorizedIndexer((np.zeros((2, 1), int), np.array([[0, 2]])))
    assert row[points].tolist() == [[0, 2], [0, 2]]
    filled = FillPart((1,), np.float32(1), np.dtype("f4"))
    joined = JoinedArray([scalar, filled], 0, np.dtype("f4"))
    assert joined[indexing.BasicIndexer((slice(None),))].tolist() == [7, 1]
    assert joined[indexing.BasicIndexer((-2,))] == 7
