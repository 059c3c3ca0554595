"""Mistakes and the errors they get: nothing is written then."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.xarray_backend.samples import assert_same, waves
from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import (
    BadCompressorError,
    ContainsArrayError,
    ContainsGroupError,
    PathNotFoundError,
    UnsupportedFormatError,
)
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")

one = xr.Dataset({"u": ("x", [1.0, 2.0])})


@pytest.mark.parametrize(
    ("ds", "options", "error", "words"),
    [
        (one, {"mode": "x"}, ValueError, "mode"),
        (one, {"mode": "w", "append_dim": "x"}, ValueError, "append_dim"),
        (one, {"mode": "w", "region": "auto"}, ValueError, "region"),
        (one, {"append_dim": "x", "region": "auto"}, ValueError, "go together"),
        (one, {"append_dim": "y"}, ValueError, "'y'"),
        (one, {"region": "auto"}, FileNotFoundError, "r\\+"),
        (one, {"zarr_format": 4}, ValueError, "zarr_format"),
        (one, {"encoding": {"v": {}}}, ValueError, "'v'"),
        (one, {"encoding": {"v": {}}}, KeyError, "'v'"),
        (one, {"encoding": {"u": {"chunk": 2}}}, ValueError, "'chunk'"),
        (one, {"encoding": {"u": {"chunks": (2, 2)}}}, ValueError, "dimensions"),
        (one, {"encoding": {"u": {"chunks": (0,)}}}, ValueError, "positive"),
        (one, {"encoding": {"u": {"chunks": "auto"}}}, TypeError, "chunks"),
        (one, {"encoding": {"u": {"chunks": (1.5,)}}}, TypeError, "chunks"),
        (one, {"encoding": {"u": {"compressor": 3}}}, BadCompressorError, "'u'"),
        (one, {"encoding": {"u": {"compressors": [{"id": "nothing"}]}}}, BadCompressorError, "'u'"),
        (
            one,
            {"encoding": {"u": {"write_empty_chunks": True}}, "write_empty_chunks": False},
            ValueError,
            "write_empty_chunks",
        ),
        (one.assign_attrs(a={1, 2}), {}, TypeError, "'a' of the dataset"),
        (one.assign(u=one.u.assign_attrs(a=object())), {}, TypeError, "'a' of variable 'u'"),
        (one.rename(u=3), {}, TypeError, "strings"),
        (one.rename(u="a/b"), {}, ValueError, "'a/b'"),
        (one.rename(u=""), {}, ValueError, "''"),
        (xr.Dataset({"u": ("x", np.array([{}, []], dtype=object))}), {}, ValueError, "'u'"),
        ([1, 2], {}, TypeError, "list"),
    ],
)
def test_writing(ds, options, error, words):
    refused(ds, options, error, words)


def refused(ds, options, error, words):
    store: dict[str, bytes] = {}
    with pytest.raises(error, match=words):
        to_zarrds(ds, store, **options)
    assert store == {}


@pytest.mark.parametrize(
    ("ds", "encoding", "error", "words"),
    [
        (one, {"fill_value": 0}, ValueError, "_FillValue"),
        (one, {"shards": (2,)}, UnsupportedFormatError, "'shards'"),
        (one, {"serializer": {"name": "bytes"}}, UnsupportedFormatError, "'serializer'"),
        (one, {"chunk_key_encoding": {"name": "default"}}, UnsupportedFormatError, "chunk_key_encoding"),
        (one, {"compressor": "zstd"}, BadCompressorError, "'u'"),
        (one, {"compressors": [{"id": "zlib"}] * 2}, BadCompressorError, "several"),
        (one.assign(u=one.u.assign_attrs({"_ARRAY_DIMENSIONS": ["x"]})), {}, ValueError, "_ARRAY_DIMENSIONS"),
    ],
)
def test_writing_what_format_2_has_not(ds, encoding, error, words):
    refused(ds, {"encoding": {"u": encoding}, "zarr_format": 2}, error, words)


@pytest.mark.parametrize(
    ("ds", "encoding", "error", "words"),
    [
        (one, {"fill_value": "text"}, ValueError, "text"),
        (xr.Dataset({"u": ("x", np.array(["a", "b"], dtype=object))}), {"_FillValue": "b"}, ValueError, "drop it"),
        (one, {"shards": (3,), "chunks": (2,)}, ValueError, "shards must be whole chunks"),
        (one, {"shards": (2, 2)}, ValueError, "shards of variable 'u'"),
        (one, {"shards": "many"}, TypeError, "shards of variable 'u'"),
        (one, {"compressors": [{"name": "nothing"}]}, BadCompressorError, "'u'"),
        (one, {"serializer": {"name": "zstd"}}, ValueError, "'u'"),
        (one, {"chunk_key_encoding": {"name": "v4"}}, ValueError, "chunk_key_encoding"),
        (one.rename(u="zarr.json"), None, ValueError, "zarr.json"),
        (one.rename(u="__u"), None, ValueError, "__u"),
        (one.rename(x=1), None, ValueError, "dimension_names"),
    ],
)
def test_writing_what_format_3_has_not(ds, encoding, error, words):
    refused(ds, {"encoding": {"u": encoding} if encoding else None, "zarr_format": 3}, error, words)


@pytest.mark.parametrize("mode", ["w", "w-", "a", "replace"])
@pytest.mark.parametrize("there", [True, False])
def test_a_refused_dataset_makes_no_groups_above(mode, there):
    store = MemoryStore()
    if there:
        to_zarrds(one, store, group="g/h")
    before = dict(store)
    for wrong in ({"u": {"chunk": 2}}, {"u": {"dtype": "i1", "scale_factor": "x"}}, {"u": {"compressor": 3}}):
        with pytest.raises((ValueError, TypeError)):
            to_zarrds(one, store, mode=mode, group="g/h", encoding=wrong)
        assert dict(store) == before


@pytest.mark.parametrize("mode", ["w", "w-", "a", "replace"])
@pytest.mark.parametrize("above", ["", "g"])
def test_an_array_above_the_group_stays(mode, above, zarr_format):
    """Mode "w" deletes what is at the group, and nothing above it."""
    store = MemoryStore()
    zarrds.array(np.arange(3), store=store, path=above, zarr_format=zarr_format)
    before = dict(store)
    for asked in (None, 2, 3):
        with pytest.raises(ContainsArrayError):
            to_zarrds(waves(), store, mode=mode, group="g/h", zarr_format=asked)
        assert dict(store) == before


def test_a_group_keeps_its_format(tmp_path, zarr_format):
    other = {2: 3, 3: 2}[zarr_format]
    to_zarrds(waves(), tmp_path / "a.zarr")
    to_zarrds(waves(), tmp_path / "a.zarr", group="g/h")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=f"is in Zarr v{zarr_format}"):
        to_zarrds(waves(), tmp_path / "a.zarr", mode="a", zarr_format=other)
    for group in ("g", "g/h", "new", "g/new"):
        with pytest.raises(ContainsGroupError, match="another format"):
            to_zarrds(waves(), tmp_path / "a.zarr", group=group, mode="w", zarr_format=other)
    with pytest.raises(FileExistsError):
        to_zarrds(waves(), tmp_path / "a.zarr", zarr_format=other)
    assert sorted(tmp_path.rglob("*")) == before
    with zarrds.config_context(default_format=other):
        to_zarrds(waves(), tmp_path / "a.zarr", group="g/i")
        to_zarrds(waves(), tmp_path / "a.zarr", append_dim="t")
    assert zarrds.open_group(str(tmp_path / "a.zarr"), mode="r")["g/i/u"].zarr_format == zarr_format
    to_zarrds(waves(), tmp_path / "a.zarr", mode="w", zarr_format=other)
    assert_same(open_zarrds(tmp_path / "a.zarr", zarr_format=other), waves())


def test_writing_to_what_is_stored(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="keeps its encoding"):
        to_zarrds(waves(), tmp_path / "a.zarr", mode="a", encoding={"u": {"dtype": "f4"}})
    with pytest.raises(ValueError, match="not in the store"):
        to_zarrds(waves().rename(u="w"), tmp_path / "a.zarr", mode="r+")
    with pytest.raises(ValueError, match="append_dim="):
        to_zarrds(waves(n=4), tmp_path / "a.zarr", mode="a")
    zarrds.open_group(str(tmp_path / "a.zarr"), mode="r+").create_group("w")
    with pytest.raises(ContainsGroupError, match="'w'"):
        to_zarrds(waves().rename(u="w"), tmp_path / "a.zarr", mode="a")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"group": "nothing"}, FileNotFoundError, "nothing"),
        ({"group": "u"}, FileNotFoundError, "array"),
        ({"mode": "w"}, ValueError, "to_zarrds"),
        ({"unknown": 1}, TypeError, "unknown"),
    ],
)
def test_reading(options, error, words):
    store: dict[str, bytes] = {}
    to_zarrds(waves(), store)
    with pytest.raises(error, match=words):
        xr.open_dataset(store, engine="zarrds", **options)


def test_reading_in_a_format_that_is_not_there(zarr_format):
    store: dict[str, bytes] = {}
    to_zarrds(waves(), store)
    with pytest.raises(PathNotFoundError, match="nothing found"):
        xr.open_dataset(store, engine="zarrds", zarr_format={2: 3, 3: 2}[zarr_format])


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        xr.open_dataset(tmp_path / "nothing.zarr", engine="zarrds")
    with pytest.raises(TypeError, match="storage_options"):
        xr.open_dataset({}, engine="zarrds", storage_options={"anon": True})


def test_consolidated(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr", consolidated=False)
    with pytest.warns(RuntimeWarning, match="consolidated metadata"):
        xr.open_dataset(tmp_path / "a.zarr", engine="zarrds")
    with pytest.raises(ValueError, match="consolidated metadata"):
        xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", consolidated=True)
    assert open_zarrds(tmp_path / "a.zarr", consolidated=False).compute().identical(waves())


def test_arrays_without_dimension_names(tmp_path):
    group = zarrds.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.array("u", np.arange(4).reshape(2, 2))
    zarrds.consolidate_metadata(str(tmp_path / "a.zarr"))
    with pytest.raises(KeyError, match=r"_ARRAY_DIMENSIONS|dimension_names"):
        open_zarrds(tmp_path / "a.zarr")
    group["u"].attrs["_nczarr_array"] = {"dimension_references": ["/y", "/x"]}
    assert open_zarrds(tmp_path / "a.zarr", consolidated=False).u.dims == ("y", "x")


@pytest.mark.parametrize("length", [5, 11, 1, 0])
@pytest.mark.parametrize("way", ["map_blocks", "xr.map_blocks", "apply_ufunc"])
@pytest.mark.parametrize("chunks", [(10, 10, 10), (10, 10, 4), (4, 12, 14)])
def test_a_block_of_another_length_than_promised_is_refused(tmp_path, way, length, chunks):
    """Else it leaves a hole, or is written into its neighbour's chunk."""

    def wrong(values):
        return values if len(values) != chunks[-1] else np.full(length, 7.0)

    ds = xr.Dataset({"v": ("x", np.ones(sum(chunks)))}).chunk(x=chunks)
    if way == "map_blocks":
        ds["v"] = ds.v.copy(data=ds.v.data.map_blocks(lambda b: b if b.shape[0] == 0 else wrong(b), dtype="f8"))
    elif way == "xr.map_blocks":
        ds = xr.map_blocks(lambda part: xr.Dataset({"v": ("x", wrong(part.v.values))}), ds, template=ds)
    else:
        ds["v"] = xr.apply_ufunc(wrong, ds.v, dask="parallelized", output_dtypes=["f8"])
    with pytest.raises(ValueError, match=r"expected|unexpected") as raised:
        to_zarrds(ds, tmp_path / "a.zarr", encoding={"v": {"chunks": (2,), "_FillValue": -1.0}})
    if way == "map_blocks":
        assert "variable 'v'" in str(raised.value)
        assert f"expected ({chunks[-1]},), found ({length},)" in str(raised.value)
