"""Trees and groups."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.store.doubles import CountingStore, FaultyStore
from tests.xarray_backend.samples import is_document, need_zarr, waves
from xarray_backend import ChunkCache, to_zarrds
from zarrds.errors import MissingChunkError, StoreError
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")


def forest(chunk: int | None = None) -> xr.DataTree:
    ds = waves(chunk=chunk)
    nodes = {"/": ds[["v"]], "/a": ds[["u"]], "/a/empty": xr.Dataset(attrs={"n": 1}), "/b": ds.drop_vars("t") * 2}
    return xr.DataTree.from_dict(nodes)


@pytest.mark.parametrize("chunk", [None, 3])
def test_round_trip(tmp_path, chunk):
    to_zarrds(forest(chunk), tmp_path / "a.zarr")
    found = xr.open_datatree(tmp_path / "a.zarr", engine="zarrds", chunks={})
    xr.testing.assert_identical(found.compute(), forest())
    assert not (tmp_path / "a.zarr" / "a" / "t").exists()  # inherited
    need_zarr()
    xr.testing.assert_identical(xr.open_datatree(tmp_path / "a.zarr", engine="zarr").compute(), forest())


def test_nodes_opened_with_chunks_are_computed_together(tmp_path):
    to_zarrds(forest(), tmp_path / "a.zarr")
    tree = xr.open_datatree(tmp_path / "a.zarr", engine="zarrds", chunks={})
    assert tree["a/u"].data.name != tree["b/u"].data.name
    one, other = dask.compute(tree["a/u"], tree["b/u"])
    np.testing.assert_array_equal(other, 2 * one)


def test_inherited_coordinates_on_request(tmp_path):
    to_zarrds(forest(), tmp_path / "a.zarr", write_inherited_coords=True)
    assert (tmp_path / "a.zarr" / "a" / "t").exists()


def test_one_request_gives_all_metadata():
    store = CountingStore(MemoryStore())
    to_zarrds(forest(), store)
    store.reset()
    xr.open_datatree(store, engine="zarrds")
    keys = [key for _, items in store.counts.log for key, _ in items]
    assert list(filter(is_document, keys)) == ["zarr.json", ".zmetadata"]


def test_groups_as_dict(tmp_path):
    to_zarrds(forest(), tmp_path / "a.zarr")
    assert list(xr.open_groups(tmp_path / "a.zarr", engine="zarrds")) == ["/", "/a", "/a/empty", "/b"]
    assert set(xr.open_groups(tmp_path / "a.zarr", engine="zarrds", group="a")) == {"/", "/empty"}
    tree = xr.open_datatree(tmp_path / "a.zarr", engine="zarrds", group="/a")
    assert tree["empty"].attrs == {"n": 1}


def test_below_a_group_with_encodings_and_again(tmp_path):
    to_zarrds(forest(2), tmp_path / "a.zarr", group="deep", encoding={"/a": {"u": {"dtype": "f4"}}})
    found = xr.open_datatree(tmp_path / "a.zarr", engine="zarrds", group="deep")
    assert found["a/u"].dtype == "f4"
    to_zarrds(forest(), tmp_path / "a.zarr", group="deep", mode="a")
    xr.testing.assert_allclose(xr.open_datatree(tmp_path / "a.zarr", engine="zarrds", group="deep").compute(), forest())


def test_changing_values_of_a_tree_leaves_attributes_and_groups(tmp_path):
    to_zarrds(forest(), tmp_path / "a.zarr")
    doubled = forest().map_over_datasets(lambda ds: (ds * 2).drop_attrs())
    to_zarrds(doubled, tmp_path / "a.zarr", mode="r+")
    found = xr.open_datatree(tmp_path / "a.zarr", engine="zarrds", consolidated=False)
    assert found["a"].attrs == forest()["a"].attrs
    assert found["a/empty"].attrs == {"n": 1}
    xr.testing.assert_equal(found["a"].to_dataset().compute(), (forest()["a"].to_dataset() * 2))


def test_a_subtree_is_written_from_its_own_root(tmp_path):
    to_zarrds(forest()["a"], tmp_path / "a.zarr")
    found = xr.open_datatree(tmp_path / "a.zarr", engine="zarrds")
    assert set(found.children) == {"empty"}
    assert found.to_dataset().identical(forest()["a"].to_dataset())


def test_accessors(tmp_path):
    waves().zarrds.save(tmp_path / "ds.zarr")
    waves().u.zarrds.save(tmp_path / "da.zarr")
    if hasattr(xr, "register_datatree_accessor"):
        forest().zarrds.save(tmp_path / "dt.zarr")
        xr.testing.assert_identical(xr.open_datatree(tmp_path / "dt.zarr", engine="zarrds").compute(), forest())
    assert xr.open_dataset(tmp_path / "ds.zarr", engine="zarrds").identical(waves())


# --- appends to trees ------------------------------------------------------------------------------------------------


def series(start: int, stop: int) -> xr.DataTree:
    """A tree whose nodes grow along t, but one."""
    rows = xr.Dataset({"v": ("t", np.arange(start, stop))}, {"t": np.arange(start, stop)})
    return xr.DataTree.from_dict({"/": rows, "/a": rows.drop_vars("t") * 2, "/b": xr.Dataset({"s": 3})})


@pytest.mark.parametrize("group", [None, "g/h"])
def test_an_append_to_all_nodes(group):
    store = MemoryStore()
    for start, stop in ((0, 3), (3, 5), (5, 9)):
        to_zarrds(series(start, stop), store, mode="a", append_dim="t", group=group)
    found = xr.open_datatree(store, engine="zarrds", group=group)
    xr.testing.assert_identical(found, series(0, 9))
    with pytest.raises(ValueError, match="not a dimension of any node"):
        to_zarrds(series(0, 3), store, append_dim="z", group=group)


@pytest.mark.parametrize("nth", range(1, 12))
def test_an_append_to_a_tree_that_fails_leaves_the_old_one(nth):
    inner = MemoryStore()
    to_zarrds(series(0, 3), inner)
    faulty = FaultyStore(inner, StoreError("full"), verb="set", nth=nth)
    failed = False
    try:
        to_zarrds(series(3, 5), faulty, append_dim="t")
    except StoreError:
        failed = True
    found = xr.open_datatree(inner, engine="zarrds", consolidated=False)
    assert found["v"].size == found["a/v"].size
    assert failed or found["v"].size == 5
    if found["v"].size == 3:
        to_zarrds(series(3, 5), inner, append_dim="t")
    xr.testing.assert_identical(xr.open_datatree(inner, engine="zarrds", consolidated=False), series(0, 5))


def waves_of(names, **part):
    ds = (waves() if not part else waves().isel(part) * 2).drop_vars("label")
    return {path: ds[some] for path, some in names.items()}


@pytest.mark.parametrize("chunk", [None, 2])
def test_regions(chunk):
    """Nodes without the dimension, and what they have, stay."""
    store = MemoryStore()
    names = {"/": ["v"], "/a": ["u", "v"], "/a/c": ["u"]}
    old = xr.DataTree.from_dict({**waves_of(names), "/d": xr.Dataset({"s": 5})})
    to_zarrds(old, store, encoding={"/a": {"u": {"chunks": (2, 6)}}})
    part = xr.DataTree.from_dict({**waves_of(names, t=slice(2, 4)), "/d": xr.Dataset({"s": 7})})
    to_zarrds(part if chunk is None else part.chunk(t=chunk), store, region={"t": slice(2, 4)})
    found = xr.open_datatree(store, engine="zarrds")
    for path, some in names.items():
        for name in some:
            expected = waves()[name].values.copy()
            expected[2:4] *= 2
            np.testing.assert_array_equal(found[path][name], expected)
    assert found["d"]["s"] == 5


def test_regions_that_are_wrong_write_nothing():
    store = MemoryStore()
    to_zarrds(forest(), store)
    before = dict(store)
    nodes = waves_of({"/": ["v"], "/a": ["u"]}, t=[0])
    for region, message in (
        ({"z": slice(0, 1)}, "any node of the tree"),
        ({"t": slice(0, 2)}, "has 2 elements"),
        ({"x": slice(0, 6)}, "variable 'u' has lengths"),
        ("auto", "give slices"),
        ({"t": "auto"}, "give slices"),
    ):
        with pytest.raises((ValueError, NotImplementedError), match=message):
            to_zarrds(xr.DataTree.from_dict(nodes), store, region=region)
    with pytest.raises(ValueError, match="both the dataset and the store"):
        to_zarrds(xr.DataTree.from_dict({**nodes, "/new": nodes["/"]}), store, region={"t": slice(0, 1)})
    assert dict(store) == before


def test_options_of_reading_count_in_all_groups(zarr_format):
    store = MemoryStore()
    names = {"dimension_names": ["x"]} if zarr_format == 3 else {}
    for path in ("", "a"):
        group = zarrds.open_group(store, mode="a", path=path)
        z = group.create_dataset("u", shape=4, chunks=2, dtype="i4", fill_value=7, **names)
        z[:2] = [1, 2]
        if zarr_format == 2:
            z.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    cache = ChunkCache(2**20)
    options = {"engine": "zarrds", "mask_fill_value": False, "consolidated": False}
    opened = xr.open_datatree(store, chunk_cache=cache, cache=False, **options)
    for _ in range(2):
        assert [opened["u"].values.tolist(), opened["a/u"].values.tolist()] == [[1, 2, 7, 7]] * 2
    assert opened["a/u"].dtype == "i4"
    assert cache.hits == 2  # absent chunks are not in it
    groups = xr.open_groups(store, read_missing="raise", **options)
    with pytest.raises(MissingChunkError):
        groups["/a"].u.load()


def test_blocks_of_trees_are_shards_on_request(zarr_format):
    if zarr_format == 2:
        pytest.skip("Zarr v2 has no shards")
    store = MemoryStore()
    ds = xr.Dataset({"u": ("x", np.arange(8))})
    to_zarrds(xr.DataTree.from_dict({"/a": ds}), store, encoding={"/a": {"u": {"chunks": (2,), "shards": (4,)}}})
    tree = xr.open_datatree(store, engine="zarrds", chunks={}, shards_as_chunks=True)
    assert tree["a/u"].chunks == ((4, 4),)
    numpy_like = xr.open_datatree(store, engine="zarrds", meta_array=np.empty(()), chunks=None)
    np.testing.assert_array_equal(numpy_like["a/u"], np.arange(8))
