"""What is written when, and what is refused."""

from __future__ import annotations

import json
import os
import zipfile

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zarrds
import zarrds.dask
from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import assert_same, is_document, need_zarr, waves
from xarray_backend import ZarrdsStore, open_zarrds, to_zarrds
from zarrds._store import WRITER_KEY, is_writer_key
from zarrds.errors import BlockAlignmentError, ForeignFilesError, SelfOverwriteError, StoreNotShareableError
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")

# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [None, 2])
def test_order_on_the_store(chunk, zarr_format):
    store = CountingStore(MemoryStore())
    with dask.config.set(scheduler="sync"):
        to_zarrds(waves(chunk=chunk), store)
    asked = [key for verb, items in store.counts.log if verb == "get" for key, _ in items]
    # in Zarr v2 also whether others have written what comes last
    layouts = {"attributes.json", "meta"} | ({".zattrs", ".zmetadata"} if zarr_format == 2 else set())
    # and whether what was created is still there
    created = {2: {"label/.zarray", "u/.zattrs"}, 3: {"label/zarr.json", "u/zarr.json"}}[zarr_format]
    assert set(asked) == {"zarr.json", ".zarray", ".zgroup", ".zarrds-removal", WRITER_KEY} | layouts | created
    (writer,), first, *rest = [keys for verb, keys in store.counts.log if verb == "set"]
    assert is_writer_key(writer)
    assert writer not in store
    group, documents, last = {
        2: (".zgroup", (".zarray", ".zattrs"), [(".zattrs",), (".zmetadata",)]),
        3: ("zarr.json", ("zarr.json",), [("zarr.json",)]),
    }[zarr_format]
    assert first == (group,)
    if chunk is not None:  # while dask arrays are written, an attribute of the group says so
        assert rest.pop(0) == ({2: ".zattrs", 3: "zarr.json"}[zarr_format],)
    assert set(rest[0]) == {f"{name}/{document}" for name in ("t", "x", "u", "v", "label") for document in documents}
    assert rest[-len(last) :] == last
    chunks = rest[1 : -len(last)]
    written = [key for keys in chunks for key in keys]
    assert len(written) == len(set(written)) == (5 if chunk is None else 1 + 1 + 12 + 4 + 3)
    if chunk is not None:
        assert all(len(keys) == 1 for keys in chunks)


def test_one_task_for_each_block():
    ds = (waves(chunk=2)[["u"]] + 1).reset_coords(drop=True)
    source: dict[str, bytes] = {}
    to_zarrds(ds, source)
    later = to_zarrds(open_zarrds(source) + 1, {}, compute=False)
    (fused,) = dask.optimize(later)
    assert len(fused.__dask_graph__()) <= 12 + 5  # four around the blocks of a write, and one that leaves its receipt


def test_shared_intermediates_are_computed_once():
    calls = []

    def count(block):
        calls.append(block.shape)
        return block + 1

    base = da.zeros((4, 4), chunks=2).map_blocks(count, dtype=float, meta=np.empty((0, 0)))
    with dask.config.set(scheduler="sync"):
        to_zarrds(xr.Dataset({"a": (("t", "x"), base), "b": (("t", "x"), base * 2)}), {})
    assert len(calls) == 4


def test_compute_false_writes_metadata_and_what_is_in_memory(tmp_path):
    ds = waves().assign(u=waves().u.chunk(t=2))
    later = to_zarrds(ds, tmp_path / "a.zarr", compute=False)
    before = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds")
    assert before.v.equals(ds.v)
    assert before.u.isnull().all()
    later.compute()
    assert_same(open_zarrds(tmp_path / "a.zarr"), ds)


@pytest.mark.parametrize("scheduler", ["sync", "threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_schedulers(tmp_path, scheduler):
    with dask.config.set(scheduler=scheduler):
        to_zarrds(waves(chunk=3) * 2, tmp_path / "a.zarr")
        assert_same(open_zarrds(tmp_path / "a.zarr"), waves() * 2)


def test_empty_chunks_are_left_out_unless_asked_for():
    ds = xr.Dataset({"u": ("x", np.full(4, np.nan))}).chunk(x=2)
    for write, expected in ((None, 0), (False, 0), (True, 2)):
        store: dict[str, bytes] = {}
        to_zarrds(ds, store, write_empty_chunks=write)
        assert sum(key.startswith("u/") and not is_document(key) for key in store) == expected
        assert_same(open_zarrds(store), ds)


# --- modes -----------------------------------------------------------------------------------------------------------


def test_returns_the_stored_group_and_makes_one_in_memory():
    found = to_zarrds(waves())
    assert isinstance(found, ZarrdsStore)
    assert sorted(found.group) == ["label", "t", "u", "v", "x"]


def test_w_minus_refuses_and_w_replaces(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    with pytest.raises(FileExistsError, match="mode='w'"):
        to_zarrds(waves(), tmp_path / "a.zarr")
    to_zarrds(waves()[["v"]] + 1, tmp_path / "a.zarr", mode="w")
    assert_same(open_zarrds(tmp_path / "a.zarr"), waves()[["v"]] + 1)
    assert not (tmp_path / "a.zarr" / "u").exists()


def test_groups(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr", group="/one/two/")
    to_zarrds(waves() * 2, tmp_path / "a.zarr", group="one/three")
    to_zarrds(waves() * 3, tmp_path / "a.zarr", group="one/three", mode="w")
    assert_same(open_zarrds(tmp_path / "a.zarr", "one/two"), waves())
    assert_same(open_zarrds(tmp_path / "a.zarr", "/one/three"), waves() * 3)


def test_a_adds_and_replaces_values(tmp_path):
    to_zarrds(waves()[["u"]], tmp_path / "a.zarr", encoding={"u": {"dtype": "f4"}})
    to_zarrds(waves().assign(u=waves().u * 2).drop_attrs(deep=False), tmp_path / "a.zarr", mode="a")
    found = open_zarrds(tmp_path / "a.zarr")
    assert found.u.dtype == "f4"
    xr.testing.assert_allclose(found.u, waves().u * 2)
    assert_same(found[["v"]], waves()[["v"]])


def test_a_transposes_and_refuses_other_dimensions(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    to_zarrds(waves().transpose("x", "t") * 2, tmp_path / "a.zarr", mode="a")
    xr.testing.assert_equal(open_zarrds(tmp_path / "a.zarr").compute(), waves() * 2)
    with pytest.raises(ValueError, match="'u' has dimensions"):
        to_zarrds(waves()[["u"]].rename(x="y"), tmp_path / "a.zarr", mode="a")


def test_append_keeps_the_encoding(tmp_path):
    ds = waves().assign_coords(t=pd.date_range("2000-01-01", periods=8, freq="h"))
    packed = {"u": {"dtype": "i4", "scale_factor": 1e-6, "_FillValue": -1}, "t": {"units": "hours since 1999-01-01"}}
    to_zarrds(ds.isel(t=slice(0, 3)), tmp_path / "a.zarr", encoding=packed)
    for start in (3, 6):
        to_zarrds(ds.isel(t=slice(start, start + 3)), tmp_path / "a.zarr", append_dim="t")
    found = open_zarrds(tmp_path / "a.zarr")
    xr.testing.assert_allclose(found.u, ds.u, atol=1e-6)
    assert found.t.to_index().equals(ds.t.to_index())
    assert found.u.encoding["dtype"] == "i4"
    assert found.t.encoding["units"] == "hours since 1999-01-01"
    need_zarr()
    assert_same(found, xr.open_zarr(tmp_path / "a.zarr"))


def test_append_checks_everything_first(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    for bad in (waves().drop_vars("v"), waves().assign(label=("x", ["long"] * 6)), waves(n=4).isel(x=slice(3))):
        with pytest.raises(ValueError):
            to_zarrds(bad, tmp_path / "a.zarr", append_dim="t")
        assert_same(open_zarrds(tmp_path / "a.zarr", consolidated=False), waves())


def test_append_of_blocks_that_would_share_a_chunk(tmp_path):
    ds = waves()
    to_zarrds(ds.isel(t=slice(0, 3)).chunk(t=2), tmp_path / "a.zarr")
    rest = ds.isel(t=slice(3, 8)).chunk(t=2)
    with pytest.raises(BlockAlignmentError, match="beginning at 3"):
        to_zarrds(rest, tmp_path / "a.zarr", append_dim="t", align="raise")
    to_zarrds(rest, tmp_path / "a.zarr", append_dim="t", align_chunks=True)
    assert_same(open_zarrds(tmp_path / "a.zarr"), ds)


def test_a_minus_leaves_other_variables_alone(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    more = waves().assign_coords(x=waves().x + 1)
    to_zarrds(more, tmp_path / "a.zarr", mode="a-", append_dim="t")
    assert open_zarrds(tmp_path / "a.zarr").x.equals(waves().x)


@pytest.mark.parametrize("region", [{"t": slice(2, 6)}, "auto", {"t": "auto"}, {"t": slice(2, -2), "x": slice(None)}])
def test_regions(tmp_path, region):
    to_zarrds(waves(chunk=2), tmp_path / "a.zarr")
    part = (waves() * 2).isel(t=slice(2, 6))
    if isinstance(region, dict) and "x" not in region:
        part = part.drop_vars(["x", "label"])
    store = CountingStore(zarrds.storage.DirectoryStore(str(tmp_path / "a.zarr")))
    to_zarrds(part.chunk(t=2), store, region=region)
    documents = [key for verb, keys in store.counts.log if verb == "set" for key in keys if is_document(key)]
    assert documents == []
    expected = waves()
    expected["u"][2:6] *= 2
    expected["v"][2:6] *= 2
    assert_same(open_zarrds(tmp_path / "a.zarr"), expected)


@pytest.mark.parametrize(
    ("region", "error"),
    [
        ({"t": slice(0, 3)}, ValueError),
        ({"t": slice(0, 8, 2)}, ValueError),
        ({"z": slice(0, 4)}, ValueError),
        ({"t": "auto"}, KeyError),
        (3, TypeError),
        ({"t": slice(1, 5)}, BlockAlignmentError),
    ],
)
def test_regions_that_do_not_fit(tmp_path, region, error):
    to_zarrds(waves(chunk=2), tmp_path / "a.zarr")
    part = waves().isel(t=slice(2, 6)).drop_vars(["x", "label"]).assign_coords(t=[1, 3, 5, 7]).chunk(t=2)
    with pytest.raises(error):
        to_zarrds(part, tmp_path / "a.zarr", region=region, align="raise")


# --- stores, and what others have written -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["path", "text", "URL", "mapping", "store"])
def test_stores(tmp_path, kind):
    store = {
        "path": tmp_path / "a.zarr",
        "text": str(tmp_path / "a.zarr"),
        "URL": f"memory://{tmp_path.name}/a.zarr",
        "mapping": {},
        "store": zarrds.storage.NestedDirectoryStore(str(tmp_path / "a.zarr")),
    }[kind]
    for part in (slice(0, 4), slice(4, 6)):
        to_zarrds(waves().isel(t=part).chunk(t=2), store, append_dim=None if part.start == 0 else "t")
    to_zarrds(waves().isel(t=slice(6, 8)).chunk(t=2), store, append_dim="t")
    to_zarrds((waves() * 2)[["u"]].isel(t=slice(2, 4)).chunk(t=2), store, region="auto")
    expected = waves()
    expected["u"][2:4] *= 2
    assert_same(open_zarrds(store), expected)
    assert_same(open_zarrds(store, consolidated=False), expected)


def test_zip_files(tmp_path):
    path = str(tmp_path / "a.zip")
    to_zarrds(waves(chunk=2), path)
    assert_same(open_zarrds(path), waves())
    with pytest.warns(UserWarning, match="Duplicate name"):  # values of stored coordinates are written again
        to_zarrds(waves().assign_coords(t=waves().t + 16), path, append_dim="t")
    assert_same(open_zarrds(path), xr.concat([waves(), waves().assign_coords(t=waves().t + 16)], "t", **JOINED))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


JOINED = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "outer"}


@pytest.mark.filterwarnings("ignore:Consolidated metadata is", "ignore:The data type .* does not have a Zarr V3")
def test_writing_in_turn_with_the_zarr_library(tmp_path, zarr_format):
    need_zarr()
    parts = [waves().isel(t=slice(start, start + 2)) for start in (0, 2, 4, 6)]
    parts[0].to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=True)
    to_zarrds(parts[1], tmp_path / "a.zarr", append_dim="t")
    parts[2].to_zarr(tmp_path / "a.zarr", append_dim="t", consolidated=True)
    to_zarrds(parts[3], tmp_path / "a.zarr", append_dim="t")
    (waves() * 2)[["v"]].to_zarr(tmp_path / "a.zarr", region={"t": slice(0, 8)})
    to_zarrds((waves() * 2)[["u"]], tmp_path / "a.zarr", region="auto")
    expected = waves().assign(u=waves().u.copy(data=waves().u * 2), v=waves().v * 2)
    xr.testing.assert_equal(open_zarrds(tmp_path / "a.zarr").compute(), expected)
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "a.zarr").compute(), expected)


@pytest.mark.parametrize("opened", [zarrds.n5.N5Store, str])
def test_n5(tmp_path, opened):
    path = str(tmp_path / "a.n5")
    to_zarrds(xr.Dataset(attrs={"title": "N5"}), zarrds.n5.N5Store(path), consolidated=False)
    ds = xr.Dataset({"a": ("t", np.arange(1, 9)), "b": (("t", "x"), np.arange(1, 25).reshape(8, 3))}).chunk(t=2)
    for name in ("a", "b"):
        encoding = {name: {"_FillValue": 0, "dtype": "i8"}}
        to_zarrds(ds[[name]], opened(path), mode="a", encoding=encoding, consolidated=False)
    xr.testing.assert_equal(open_zarrds(path, consolidated=False).compute(), ds.compute())
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"attributes.json", "0", "1", "2", "3"}


def test_adding_to_a_group_keeps_the_rest_of_its_document(tmp_path, zarr_format):
    to_zarrds(waves(), tmp_path / "a.zarr")
    to_zarrds(waves()[["v"]], tmp_path / "a.zarr", group="g")
    name = {2: ".zgroup", 3: "zarr.json"}[zarr_format]
    path = tmp_path / "a.zarr" / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "of_another": {"must_understand": False}}))
    to_zarrds(waves().assign_attrs(new=1), tmp_path / "a.zarr", mode="a")
    to_zarrds((waves() * 2)[["u"]], tmp_path / "a.zarr", region="auto")
    assert json.loads(path.read_text())["of_another"] == {"must_understand": False}
    assert open_zarrds(tmp_path / "a.zarr").attrs == {**waves().attrs, "new": 1}
    assert_same(open_zarrds(tmp_path / "a.zarr", "g"), waves()[["v"]])


# --- what is never lost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [None, {}])
@pytest.mark.parametrize("wrap", [lambda ds: ds, lambda ds: ds + 1, lambda ds: ds.isel(t=[0, 1])])
def test_a_store_is_not_overwritten_by_what_is_read_from_it(tmp_path, chunks, wrap):
    to_zarrds(waves(), tmp_path / "a.zarr")
    ds = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", chunks=chunks)
    with pytest.raises(SelfOverwriteError):
        to_zarrds(wrap(ds), tmp_path / "a.zarr", mode="w")
    assert_same(open_zarrds(tmp_path / "a.zarr"), waves())
    to_zarrds(wrap(ds).load(), tmp_path / "a.zarr", mode="w")


def test_self_overwrite_is_seen_in_memory_too():
    store: dict[str, bytes] = {}
    to_zarrds(waves(), store)
    with pytest.raises(SelfOverwriteError):
        to_zarrds(open_zarrds(store).assign(u=open_zarrds(store).u[::2, ::2].mean()), store, mode="w")


def test_self_overwrite_is_seen_through_other_readers(tmp_path):
    to_zarrds(waves(chunk=2), tmp_path / "a.zarr")
    u = zarrds.dask.from_zarr(str(tmp_path / "a.zarr" / "u"))
    os.symlink(tmp_path / "a.zarr", tmp_path / "link.zarr")
    need_zarr()
    for ds in (xr.Dataset({"w": (("t", "x"), u + 1)}), xr.open_zarr(tmp_path / "link.zarr")):
        with pytest.raises(SelfOverwriteError):
            to_zarrds(ds, tmp_path / "a.zarr", mode="w")
    to_zarrds(xr.open_zarr(tmp_path / "a.zarr"), tmp_path / "b.zarr")
    assert_same(open_zarrds(tmp_path / "b.zarr"), waves())


def test_a_broken_store_of_format_3_is_left_alone(tmp_path):
    (tmp_path / "zarr.json").write_text("{}")
    with pytest.raises(FileExistsError, match="Zarr v3"):
        to_zarrds(waves(), tmp_path)
    assert os.listdir(tmp_path) == ["zarr.json"]
    to_zarrds(waves(), tmp_path, mode="w")
    assert_same(open_zarrds(tmp_path), waves())


def test_another_group_of_the_store_may_be_read(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr", group="one")
    to_zarrds(open_zarrds(tmp_path / "a.zarr", "one"), tmp_path / "a.zarr", group="two", mode="w")
    assert_same(open_zarrds(tmp_path / "a.zarr", "two"), waves())


def test_foreign_files_are_never_deleted(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(ForeignFilesError):
        to_zarrds(waves() * 2, tmp_path / "a.zarr", mode="w")
    assert_same(open_zarrds(tmp_path / "a.zarr"), waves())


def test_nothing_is_written_when_blocks_do_not_fit(tmp_path):
    with pytest.raises(BlockAlignmentError):
        to_zarrds(waves(chunk=2), tmp_path / "a.zarr", encoding={"u": {"chunks": (3, 3)}}, safe_chunks=True)
    assert not os.path.exists(tmp_path / "a.zarr")


def test_blocks_of_different_lengths_are_regrouped(tmp_path):
    months = [xr.Dataset({"v": ("t", np.full(n, float(i)))}).chunk(t=n) for i, n in enumerate((31, 28, 31, 30))]
    ds = xr.concat(months, "t")
    to_zarrds(ds, tmp_path / "a.zarr")
    assert_same(open_zarrds(tmp_path / "a.zarr"), ds)


# --- chunks that came with the data: users.md, E1 --------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.chunk(t=5),
        lambda ds: ds.chunk(t=3).isel(t=slice(1, None)).chunk(t=4),
        lambda ds: ds.isel(t=slice(0, 5)).chunk(t=1),
        lambda ds: xr.concat([ds, ds.assign_coords(t=ds.t + 16)], "t").chunk(t=7),
        lambda ds: ds.transpose("x", "t").chunk(x=4),
        lambda ds: ds.mean("x").chunk(t=8),
        lambda ds: ds.expand_dims(new=2).chunk(new=1),
    ],
)
def test_inherited_chunks_are_dropped_when_they_no_longer_fit(tmp_path, change):
    to_zarrds(waves()[["u", "v"]], tmp_path / "a.zarr", encoding={"u": {"chunks": (3, 4)}, "v": {"chunks": 3}})
    ds = change(open_zarrds(tmp_path / "a.zarr"))
    to_zarrds(ds, tmp_path / "b.zarr")
    assert_same(open_zarrds(tmp_path / "b.zarr"), ds)


def test_inherited_chunks_are_kept_when_they_fit(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr", encoding={"u": {"chunks": (2, 3)}})
    to_zarrds(open_zarrds(tmp_path / "a.zarr").chunk(t=4), tmp_path / "b.zarr")
    assert open_zarrds(tmp_path / "b.zarr").u.encoding["chunks"] == (2, 3)


def test_align_chunks(tmp_path):
    ds = waves().chunk(t=(1, 3, 4), x=5)
    to_zarrds(ds, tmp_path / "a.zarr", encoding={"u": {"chunks": (2, 4)}}, align_chunks=True)
    assert_same(open_zarrds(tmp_path / "a.zarr"), waves())
    assert open_zarrds(tmp_path / "a.zarr").u.encoding["chunks"] == (2, 4)


def test_inherited_text_widths_never_cut_text(tmp_path):
    for name, words in (("a", ["x", "y"]), ("b", ["long", "longer"])):
        to_zarrds(xr.Dataset({"s": ("t", words)}), tmp_path / f"{name}.zarr")
    both = xr.concat([xr.open_dataset(tmp_path / f"{name}.zarr", engine="zarrds") for name in "ab"], "t")
    to_zarrds(both, tmp_path / "c.zarr")
    assert open_zarrds(tmp_path / "c.zarr").s.values.tolist() == ["x", "y", "long", "longer"]


def test_fixed_text_is_appended_to_text_of_any_length(tmp_path):
    to_zarrds(xr.Dataset({"s": ("t", np.array(["x", "yy"], dtype=object))}), tmp_path / "a.zarr")
    to_zarrds(xr.Dataset({"s": ("t", np.array(["long"]))}), tmp_path / "a.zarr", append_dim="t")
    assert open_zarrds(tmp_path / "a.zarr").s.values.tolist() == ["x", "yy", "long"]


@pytest.mark.parametrize("options", [{}, {"region": {"t": slice(0, 4)}}])
def test_mode_a_minus_without_append_dim_writes_what_is_stored(tmp_path, options):
    to_zarrds(waves(), tmp_path / "a.zarr")
    half = waves().isel(t=slice(0, 4))[["u"]].drop_vars(["t", "x", "label"]) if options else waves()[["u"]]
    to_zarrds(half + 1, tmp_path / "a.zarr", mode="a-", **options)
    np.testing.assert_array_equal(open_zarrds(tmp_path / "a.zarr").u[:4], waves().u[:4] + 1)


def test_inherited_chunks_are_kept_for_a_template(tmp_path):
    ds = waves(chunk=3)
    ds.u.encoding["chunks"] = (4, 2)
    to_zarrds(ds, tmp_path / "a.zarr", compute=False, safe_chunks=False)
    assert zarrds.open(str(tmp_path / "a.zarr" / "u")).chunks == (4, 2)
    to_zarrds(ds, tmp_path / "b.zarr", compute=False)
    assert zarrds.open(str(tmp_path / "b.zarr" / "u")).chunks == (3, 3)


@pytest.mark.parametrize("compute", [True, False])
def test_a_store_that_workers_cannot_reach_is_refused_before_anything_is_written(compute):
    store = {}
    with dask.config.set(scheduler="processes"), pytest.raises(StoreNotShareableError):
        to_zarrds(waves(chunk=3), store, compute=compute)
    assert not store
    options = {"chunkmanager_store_kwargs": {"scheduler": "processes"}}
    with pytest.raises(StoreNotShareableError):
        to_zarrds(waves(chunk=3), store, compute=compute, **options)
    assert not store
