"""Writing a part of what is stored: what it may touch, and what it asks of the store."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import is_document
from xarray_backend import open_zarrds, to_zarrds
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")


def stored() -> dict[str, bytes]:
    """A table with index coordinates, one without an index, and a scalar."""
    store: dict[str, bytes] = {}
    table = xr.Dataset(
        {"d": (("t", "x"), [[1, 2], [3, 4]], {"units": "K"}), "s": 1.0},
        {"x": ["a", "b"], "t": [0, 1], "place": ("x", [10, 20])},
        {"title": "old", "kept": 1},
    )
    to_zarrds(table, store)
    return store


ROW = xr.Dataset({"d": (("t", "x"), [[30, 40]])}, {"x": ["b", "a"], "t": [1]}, {"title": "new"})


@pytest.mark.parametrize(
    ("part", "region"),
    [
        (ROW, {"t": slice(1, 2), "x": slice(None)}),
        (ROW.d, {"t": slice(1, 2), "x": slice(0, 2)}),
        (ROW.assign_coords(t=[7]), {"t": slice(-1, None), "x": slice(None)}),
        (ROW.drop_vars("x"), {"t": slice(1, 2)}),
        (ROW.drop_vars("x"), {"t": "auto"}),
        (ROW.drop_vars("x"), "auto"),
        (ROW.assign_coords(x=["a", "b"]), {"t": slice(1, 2), "x": "auto"}),
        (ROW.chunk(), {"t": slice(1, 2), "x": slice(None)}),
    ],
)
@pytest.mark.parametrize("mode", [None, "r+", "a", "a-"])
def test_index_coordinates_are_not_written(part, region, mode):
    store = stored()
    to_zarrds(part, store, mode, region=region, safe_chunks=False)
    found = open_zarrds(store).compute()
    assert found.d.values.tolist() == [[1, 2], [30, 40]]
    assert found.x.values.tolist() == ["a", "b"]
    assert found.t.values.tolist() == [0, 1]


@pytest.mark.parametrize("region", [{}, "auto"])
def test_scalars(region):
    store = stored()
    to_zarrds(xr.Dataset({"s": 5.0}), store, region=region)
    to_zarrds(xr.DataArray(6.0, name="s"), store, region=region, mode="a")
    assert open_zarrds(store).s == 6


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("region", [{"x": slice(0, 2)}, {"x": "auto"}, "auto"])
def test_what_grows_along_one_dimension_may_be_a_part_along_another(region, rows, lazy):
    store: dict[str, bytes] = {}
    table = xr.Dataset({"u": (("t", "x"), np.ones((2, 4))), "w": ("x", [1, 2, 3, 4])}, {"t": [0, 1], "x": [0, 1, 2, 3]})
    to_zarrds(table, store, encoding={"u": {"chunks": (rows, 2)}, "t": {"chunks": 3}})
    part = xr.Dataset({"u": (("t", "x"), np.full((2, 2), 5.0))}, {"t": [2, 3], "x": [0, 1]})
    to_zarrds(part.chunk() if lazy else part, store, append_dim="t", region=region)
    found = open_zarrds(store).load()
    expected = np.ones((4, 4))
    expected[2:] = [5, 5, np.nan, np.nan]
    np.testing.assert_array_equal(found.u, expected)
    assert (found.t.values.tolist(), found.w.values.tolist()) == ([0, 1, 2, 3], [1, 2, 3, 4])


@pytest.mark.parametrize("region", [{"t": slice(2, 3)}, {"t": "auto", "x": slice(None)}])
def test_a_dimension_grows_or_is_a_region(region):
    store = stored()
    before = dict(store)
    with pytest.raises(ValueError, match="'t' cannot be in append_dim and in region"):
        to_zarrds(ROW, store, append_dim="t", region=region)
    assert store == before


def test_the_empty_region_is_everything():
    store = stored()
    to_zarrds(xr.Dataset({"s": 5.0, "d": (("t", "x"), [[5, 6], [7, 8]])}, {"x": ["c", "d"]}), store, region={})
    found = open_zarrds(store).compute()
    assert (found.s, found.d.values.tolist(), found.x.values.tolist()) == (5, [[5, 6], [7, 8]], ["a", "b"])
    with pytest.raises(ValueError, match="lengths"):
        to_zarrds(ROW, store, region={})


@pytest.mark.parametrize(
    ("part", "region", "error"),
    [
        (ROW, {"t": slice(1, 2)}, ValueError),
        (ROW, "auto", ValueError),
        (ROW.drop_vars("x"), {"t": 1}, TypeError),
        (ROW.drop_vars("x"), {"t": [1]}, TypeError),
        (ROW.drop_vars("x"), {"t": "all"}, TypeError),
        (ROW.drop_vars("x"), {"t": slice(0, 2, 2)}, ValueError),
        (ROW.drop_vars("x"), {"t": slice(1, 2), "z": slice(0, 1)}, ValueError),
        (ROW.assign(s=3.0), {"t": slice(1, 2), "x": slice(None)}, ValueError),
        (ROW.rename(d="e"), {"t": slice(1, 2), "x": slice(None)}, ValueError),
    ],
)
def test_what_does_not_fit_changes_nothing(part, region, error):
    store = stored()
    before = dict(store)
    with pytest.raises(error):
        to_zarrds(part, store, region=region)
    assert store == before


@pytest.mark.parametrize("mode", ["w", "w-", "a"])
@pytest.mark.parametrize("kind", [lambda ds: ds, lambda ds: ds.v, lambda ds: xr.DataTree.from_dict({"/g": ds})])
def test_a_multiindex_is_refused_in_words_that_help(tmp_path, mode, kind):
    ds = xr.Dataset({"v": (("i", "j"), np.zeros((2, 2)))}, {"i": [0, 1], "j": ["a", "b"]}).stack(z=("i", "j"))
    for error in (ValueError, NotImplementedError):
        with pytest.raises(error, match="reset_index"):
            to_zarrds(kind(ds), tmp_path / "a.zarr", mode=mode)
    assert not (tmp_path / "a.zarr").exists()
    to_zarrds(ds.reset_index("z"), tmp_path / "a.zarr", mode=mode)


# --- documents that a group has already ------------------------------------------------------------------------------


@pytest.mark.parametrize("consolidated", [True, False])
def test_coordinates_that_are_added_stay_coordinates(consolidated):
    store = stored()
    ds = open_zarrds(store).compute()
    ds = ds.assign_coords(area=("x", [1.0, 2.0]), run=7, place=("x", [11, 21]))
    for part in (ds, ds.drop_vars(["area", "run"]), xr.Dataset(coords={"lat": ("t", [1, 2])})):
        to_zarrds(part, store, mode="a", consolidated=consolidated)
    to_zarrds(ds.d.assign_coords(month=("t", [1, 2])), store, mode="a", consolidated=consolidated)
    found = open_zarrds(store)
    assert set(found.coords) == {"x", "t", "place", "area", "run", "lat", "month"}
    assert set(found.data_vars) == {"d", "s"}


def test_attributes_of_the_group():
    store = stored()
    to_zarrds(ROW.isel(t=[0, 0]).d.assign_coords(t=[0, 1], x=["a", "b"]), store, mode="a")
    to_zarrds(ROW.drop_attrs().drop_vars("x"), store, mode="a", region="auto")
    assert open_zarrds(store).attrs == {"title": "old", "kept": 1}
    to_zarrds(ROW.assign_coords(x=["a", "b"]), store, mode="r+", region="auto")
    assert open_zarrds(store).attrs == {"title": "old", "kept": 1}
    to_zarrds(ROW.drop_vars("x"), store, append_dim="t", mode="a-")
    found = open_zarrds(store)
    assert found.attrs == {"title": "new", "kept": 1}
    assert found.d.attrs == {"units": "K"}


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.parametrize("chunk", [None, 1])
def test_a_region_asks_only_for_what_it_writes(zarr_format, consolidated, chunk):
    store = CountingStore(MemoryStore())
    ds = xr.Dataset({f"v{i}": ("t", np.zeros(4)) for i in range(50)}, {"t": [1, 2, 3, 4]})
    to_zarrds(ds, store, encoding={n: {"chunks": (1,)} for n in ds.variables}, consolidated=consolidated)
    store.counts.log.clear()
    part = ds[["v7"]].isel(t=[1]) + 1
    to_zarrds(part if chunk is None else part.chunk(t=chunk), store, region={"t": slice(1, 2)})
    asked = [key for verb, items in store.counts.log if verb == "get" for key, _ in items]
    documents = {2: ["v7/.zarray", "v7/.zattrs"], 3: ["v7/zarr.json"]}[zarr_format]
    assert asked == ["zarr.json", ".zarray", ".zgroup", *documents]
    assert not any(verb == "list" for verb, _ in store.counts.log)
    written = [key for verb, keys in store.counts.log if verb == "set" for key in keys]
    assert len(written) == 1
    assert not any(map(is_document, written))


def test_lengths_that_only_other_variables_know():
    store: dict[str, bytes] = {}
    to_zarrds(xr.Dataset({"a": ("t", np.arange(4.0))}), store)
    to_zarrds(xr.Dataset({"b": ("t", da.ones(2))}), store, mode="a", region={"t": slice(1, 3)})
    np.testing.assert_array_equal(open_zarrds(store).b, [np.nan, 1, 1, np.nan])
