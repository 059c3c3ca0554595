"""Datasets in shards: what is stored, read and kept, and that no two blocks write one shard."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import assert_same, need_zarr, waves
from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import BlockAlignmentError
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore:.*have a Zarr V3 specification", "ignore:Consolidated metadata is")

SHARDED = {"u": {"chunks": (2, 3), "shards": (4, 6)}, "v": {"chunks": 1, "shards": 8}}


def write(ds: xr.Dataset, store, **options):
    return to_zarrds(ds, store, encoding=options.pop("encoding", SHARDED), zarr_format=3, **options)


def stored(store, name: str = "u") -> zarrds.Array:
    return zarrds.open_group(store, mode="r")[name]


@pytest.mark.parametrize("blocks", [None, {"t": 4, "x": 6}, {"t": 8}, {"t": -1}])
def test_round_trip(tmp_path, blocks):
    ds = waves() if blocks is None else waves().assign(u=waves().u.chunk(blocks))
    write(ds, tmp_path / "a.zarr")
    array = stored(str(tmp_path / "a.zarr"))
    assert (array.chunks, array.shards) == ((2, 3), (4, 6))
    found = open_zarrds(tmp_path / "a.zarr")
    assert_same(found, waves())
    assert found.u.encoding["chunks"] == (2, 3)
    assert found.u.encoding["shards"] == (4, 6)
    assert found.u.encoding["preferred_chunks"] == {"t": 2, "x": 3}
    need_zarr()
    theirs = xr.open_dataset(tmp_path / "a.zarr", engine="zarr", chunks={})
    assert_same(theirs, waves())
    assert (theirs.u.chunks, theirs.u.encoding["shards"]) == (found.u.chunks, (4, 6))


def test_shards_by_the_zarr_library_are_read_alike(tmp_path):
    need_zarr()
    waves().to_zarr(tmp_path / "a.zarr", zarr_format=3, encoding={"u": SHARDED["u"]})
    found = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", chunks={})
    theirs = xr.open_dataset(tmp_path / "a.zarr", engine="zarr", chunks={})
    assert_same(found, theirs)
    for key in ("chunks", "shards", "preferred_chunks"):
        assert found.u.encoding[key] == theirs.u.encoding[key]


def test_one_task_for_each_chunk_inside_as_xarray_has_it():
    store = MemoryStore()
    write(waves(), store)
    ds = xr.open_dataset(store, engine="zarrds", chunks={})
    assert ds.u.chunks == ((2,) * 4, (3,) * 2)
    assert len(ds.u.data.dask) == 8 + 1


# --- no shard is split ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [{"t": 2, "x": 3}, {"t": 2}, {"x": 3}, {"t": (4, 2, 2)}])
def test_blocks_within_a_shard_are_refused(blocks):
    store: dict[str, bytes] = {}
    with pytest.raises(BlockAlignmentError, match="'u'") as caught:
        write(waves().assign(u=waves().u.chunk(blocks)), store, align="raise")
    assert store == {}
    assert any(f"ds.chunk({{{dim!r}: {n}}})" in str(caught.value) for dim, n in (("t", 4), ("x", 6)))


@pytest.mark.parametrize("options", [{"align_chunks": True}, {"safe_chunks": False}])
def test_blocks_within_a_shard_on_request(options):
    store = CountingStore(MemoryStore())
    with dask.config.set(scheduler="sync"):
        write(waves().assign(u=waves().u.chunk(t=2, x=3)), store, **options)
    sets = [key for verb, keys in store.counts.log if verb == "set" for key in keys if key.startswith("u/c")]
    assert len(sets) == (2 if "align_chunks" in options else 8)
    assert_same(open_zarrds(store), waves())


def test_one_request_for_each_shard():
    store = CountingStore(MemoryStore())
    with dask.config.set(scheduler="sync"):
        write(waves().assign(u=waves().u.chunk(t=4, x=6)), store)
    requests = [(verb, key) for verb, keys in store.counts.log for key in keys if str(key).startswith("u/c")]
    assert sorted(requests) == [("set", "u/c/0/0"), ("set", "u/c/1/0")]


def test_append_and_regions_are_checked_by_shards(tmp_path):
    path = tmp_path / "a.zarr"
    write(waves().isel(t=slice(0, 6)), path)
    rest = waves().isel(t=slice(6, 8))
    with pytest.raises(BlockAlignmentError, match="chunk length 4"):
        to_zarrds(rest.chunk(t=1)[["u", "v"]].drop_vars("x"), path, append_dim="t", align="raise")
    to_zarrds(rest, path, append_dim="t")
    assert_same(open_zarrds(path), waves())
    part = (waves() * 2)[["u"]].drop_vars(["x", "label"])
    with pytest.raises(BlockAlignmentError, match="region of variable 'u'"):
        to_zarrds(part.isel(t=slice(2, 6)).chunk(), path, region={"t": slice(2, 6)}, align="raise")
    to_zarrds(part.isel(t=slice(4, 8)).chunk(), path, region="auto")
    expected = waves()
    expected["u"][4:] *= 2
    assert_same(open_zarrds(path), expected)


# --- shards that came with the data -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda ds: ds.load(), True),
        (lambda ds: ds, True),  # a block for each chunk inside: joined
        (lambda ds: ds + 0, False),  # arithmetic drops encodings
        (lambda ds: ds.chunk(t=8), True),
        (lambda ds: ds.chunk(t=3), False),
        (lambda ds: ds.isel(t=slice(1, None)), False),
        (lambda ds: ds.isel(t=slice(4, None)), True),
    ],
)
def test_inherited_shards_are_kept_when_they_fit(tmp_path, change, kept):
    write(waves()[["u", "v"]], tmp_path / "a.zarr")
    ds = change(open_zarrds(tmp_path / "a.zarr"))
    to_zarrds(ds, tmp_path / "b.zarr", zarr_format=3)
    assert (stored(str(tmp_path / "b.zarr")).shards == (4, 6)) == kept
    assert_same(open_zarrds(tmp_path / "b.zarr"), ds)
    to_zarrds(ds, tmp_path / "c.zarr", zarr_format=2)
    assert_same(open_zarrds(tmp_path / "c.zarr"), ds)


def test_blocks_that_make_up_shards_are_written_once():
    first, second = MemoryStore(), CountingStore(MemoryStore())
    write(waves()[["u"]], first, encoding={"u": SHARDED["u"]})
    with dask.config.set(scheduler="sync"):
        to_zarrds(open_zarrds(first), second, zarr_format=3)
    sets = [key for verb, keys in second.counts.log if verb == "set" for key in keys if key.startswith("u/c")]
    assert sorted(sets) == ["u/c/0/0", "u/c/1/0"]


def test_shards_alone():
    for ds, chunks in ((waves(), None), (waves().chunk(t=4, x=6), (4, 6))):
        store = MemoryStore()
        write(ds[["u"]], store, encoding={"u": {"shards": (4, 6)}})
        array = stored(store)
        assert array.shards == (4, 6)
        assert all(n % c == 0 for n, c in zip((4, 6), array.chunks, strict=True))
        assert chunks in (None, array.chunks)
        assert_same(open_zarrds(store), ds[["u"]])


def test_empty_chunks_in_shards():
    ds = xr.Dataset({"u": ("x", np.full(8, np.nan))})
    store: dict[str, bytes] = {}
    write(ds, store, encoding={"u": {"chunks": 2, "shards": 4}})
    assert not any(key.startswith("u/c") for key in store)
    assert_same(open_zarrds(store), ds)
