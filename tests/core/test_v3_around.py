"""What is built on arrays works for Zarr v3: copying, rechunking, dask, xarray, the command line, consolidation."""

from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import zarrds
import zarrds.dask
from zarrds.cli.describe import describe, describe_tree
from zarrds.errors import ContainsGroupError, MetadataError

DATA = np.arange(24.0).reshape(4, 6)


@pytest.fixture
def root():
    """A hierarchy of Zarr v3 with numbers and text."""
    group = zarrds.open_group(zarrds.MemoryStore(), mode="w", zarr_format=3)
    group.attrs["title"] = "t"
    u = group.create_dataset("g/u", data=DATA, chunks=(2, 3), dimension_names=["y", "x"], fill_value=-1)
    u.attrs["units"] = "m"
    group.create_dataset("s", data=np.array(["a", "bc", ""], object), dtype=str)
    return group


def test_copies_within_the_format_keep_encoded_chunks(root):
    dest = zarrds.group(zarrds.MemoryStore(), zarr_format=3)
    zarrds.copy_all(root, dest)
    assert dest["g/u"].source().meta == root["g/u"].source().meta
    assert dest.store["g/u/c/0/1"] == root.store["g/u/c/0/1"]
    assert dest["s"][:].tolist() == ["a", "bc", ""]
    assert dest["g/u"].attrs.asdict() == {"units": "m"}


def test_copies_between_the_formats(root):
    old = zarrds.group()
    zarrds.copy_all(root, old)
    np.testing.assert_array_equal(old["g/u"][:], DATA)
    assert old["g/u"].compressor == root["g/u"].compressor
    assert old["s"].filters[0].codec_id == "vlen-utf8"
    assert old["s"][:].tolist() == ["a", "bc", ""]
    new = zarrds.group(zarr_format=3)
    zarrds.copy_all(old, new)
    np.testing.assert_array_equal(new["g/u"][:], DATA)
    assert json.loads(new.store["s/zarr.json"])["data_type"] == "string"


def test_stores_are_copied_key_by_key(root):
    zarrds.consolidate_metadata(root.store)
    for copy in (zarrds.copy_store, lambda a, b: zarrds.dask.copy_store(a, b).compute()):
        dest = zarrds.MemoryStore()
        copy(root.store, dest)
        assert {key: dest[key] for key in dest} == {key: root.store[key] for key in root.store}


def test_a_group_is_copied_below_groups_of_its_format(root):
    dest = zarrds.MemoryStore()
    zarrds.dask.copy_store(root.store, dest, source_path="g", dest_path="a/b").compute()
    np.testing.assert_array_equal(zarrds.open_group(dest, mode="r")["a/b/u"][:], DATA)
    assert "zarr.json" in dest
    assert ".zgroup" not in dest


def test_rechunk(root):
    made = zarrds.dask.rechunk(root["g/u"], zarrds.MemoryStore(), chunks=(4, 2)).compute()
    assert (made.zarr_format, made.chunks, made.dimension_names) == (3, (4, 2), ("y", "x"))
    assert made.fill_value == -1
    assert made.attrs.asdict() == {"units": "m"}
    np.testing.assert_array_equal(made[:], DATA)


def test_dask(root):
    x = zarrds.dask.from_zarr(root["g/u"])
    assert x.chunks == ((2, 2), (3, 3))
    np.testing.assert_array_equal(x.compute(), DATA)
    target = root.create("v", shape=(4, 6), chunks=(2, 6), dtype="f8")
    zarrds.dask.to_zarr(da.from_array(DATA, chunks=(2, 6)), target)
    np.testing.assert_array_equal(target[:], DATA)
    made = zarrds.dask.to_zarr(da.from_array(DATA, chunks=(2, 6)), root.store, path="w", zarr_format=3)
    assert made.zarr_format == 3
    with pytest.raises(ContainsGroupError, match="zarr_format=3"):
        zarrds.dask.to_zarr(da.from_array(DATA, chunks=(2, 6)), root.store, path="old")


def test_reports(root):
    said = describe(root["g/u"])
    assert (said["zarr_format"], said["data_type"], said["chunks"], said["shards"]) == (3, "float64", [2, 3], None)
    assert describe_tree(root)["members"]["s"]["dtype"] == "string"


def test_consolidated(root):
    store = root.store
    made = zarrds.consolidate_metadata(store)
    np.testing.assert_array_equal(made["g/u"][:], DATA)
    held = json.loads(store["zarr.json"])["consolidated_metadata"]
    assert (held["kind"], held["must_understand"], list(held["metadata"])) == ("inline", False, ["g", "s", "g/u"])
    assert held["metadata"]["g"]["consolidated_metadata"]["metadata"] == {}
    for key in ("g/zarr.json", "g/u/zarr.json", "s/zarr.json"):
        del store[key]
    opened = zarrds.open_consolidated(store, mode="r+")
    assert opened.attrs.asdict() == {"title": "t"}
    assert [name for name, _ in opened.arrays(recurse=True)] == ["u", "s"]
    opened["g/u"][0] = 7
    assert (zarrds.open_consolidated(store)["g/u"][0] == 7).all()
    with pytest.raises(PermissionError):
        opened.create_group("new")
    with pytest.raises(PermissionError):
        opened["s"].attrs["a"] = 1
    # opened in the usual way, the group is what its document says, and has no members any more
    assert list(zarrds.open_group(store)) == []


def test_a_group_below_the_root_is_consolidated_by_itself(root):
    zarrds.consolidate_metadata(root.store, path="g")
    assert "consolidated_metadata" not in json.loads(root.store["zarr.json"])
    assert "consolidated_metadata" in json.loads(root.store["g/zarr.json"])
    del root.store["g/u/zarr.json"]
    np.testing.assert_array_equal(zarrds.open_consolidated(root.store, path="g")["u"][:], DATA)
    with pytest.raises(KeyError):
        zarrds.open_consolidated(root.store)


def test_attributes_of_a_consolidated_group_can_change_and_consolidation_is_repeated(root):
    zarrds.consolidate_metadata(root.store)
    root.attrs["more"] = 1
    assert "consolidated_metadata" in json.loads(root.store["zarr.json"])
    root.create_group("h")
    zarrds.consolidate_metadata(root.store)
    assert sorted(zarrds.open_consolidated(root.store)) == ["g", "h", "s"]


@pytest.mark.parametrize("held", [{"kind": "elsewhere", "metadata": {}}, {"metadata": {}}, {"kind": "inline"}, 3])
def test_broken_consolidated_metadata(root, held):
    document = json.loads(root.store["zarr.json"])
    root.store["zarr.json"] = json.dumps({**document, "consolidated_metadata": held}).encode()
    with pytest.raises(MetadataError, match="consolidated_metadata"):
        zarrds.open_consolidated(root.store)


def test_xarray_reads_it(tmp_path):
    times = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[ns]")
    ds = xr.Dataset(
        {
            "u": (("t", "x"), np.where(np.arange(12.0).reshape(3, 4) == 5, np.nan, 1.5), {"units": "m"}),
            "n": ("x", np.array(["a", "b", "", "d"], object)),
            "f": ("x", np.arange(4, dtype="f4"), {}, {"_FillValue": np.float32(-9)}),
            "i": ("x", np.arange(4, dtype="i2")),
            "scalar": ((), 3),
        },
        {"t": times},
        {"title": "q"},
    )
    ds.to_zarr(tmp_path, zarr_format=3, consolidated=False)
    for consolidated in (False, True):
        found = xr.open_dataset(tmp_path, engine="zarrds", consolidated=consolidated)
        xr.testing.assert_identical(found.load(), xr.open_dataset(tmp_path, engine="zarr", consolidated=False).load())
        xr.testing.assert_identical(found, ds)
        zarrds.consolidate_metadata(str(tmp_path))
    found = xr.open_dataset(tmp_path, engine="zarrds", chunks={}, zarr_format=3)
    assert float(found.u.sum()) == 16.5
    assert found.f.encoding["_FillValue"] == -9
    found = xr.open_dataset(tmp_path, engine="zarrds", use_zarr_fill_value_as_mask=True)
    assert np.isnan(found.i.values[0])
