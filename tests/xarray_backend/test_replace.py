"""Mode "replace": readers find the old dataset or the new one, and the new one may be made of the old one."""

from __future__ import annotations

from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.store.doubles import FaultyStore, WrappedStore
from tests.xarray_backend.samples import assert_same, waves
from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import ForeignFilesError, NotErasableError, SelfOverwriteError, StoreError
from zarrds.storage import FSStore, KVStore, MemoryStore, SQLiteStore, ZipStore

pytestmark = pytest.mark.usefixtures("zarr_format")

KINDS = ["directory", "memory", "dict", "sqlite", "url"]


@pytest.fixture
def make(tmp_path: Any) -> Any:
    """Return a function that makes a new store of a kind."""

    def new(kind: str) -> Any:
        if kind == "directory":
            return str(tmp_path / "a.zarr")
        if kind == "url":
            fsspec.filesystem("memory").store.clear()
            return FSStore("memory://replace/a.zarr")
        if kind == "sqlite":
            return SQLiteStore(tmp_path / "a.sqlite")
        return MemoryStore() if kind == "memory" else KVStore({})

    return new


@pytest.mark.parametrize("group", [None, "a/b"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_replaces_its_own_source(make: Any, kind: str, group: str | None) -> None:
    store = make(kind)
    to_zarrds(waves(chunk=2), store, mode="replace", group=group)
    if group is not None:
        to_zarrds(waves(4), store, mode="a", group="a/c")
    ds = open_zarrds(store, group=group)
    to_zarrds(ds.isel(t=slice(None, None, -1)).rename(u="w").chunk(t=3), store, mode="replace", group=group)
    found = xr.open_dataset(store, engine="zarrds", group=group, consolidated=True)
    expected = waves().isel(t=slice(None, None, -1)).rename(u="w")
    assert_same(found, expected)
    assert set(found.variables) == set(expected.variables)
    if group is not None:
        assert_same(open_zarrds(store, group="a/c"), waves(4))
    keys = list(zarrds.storage.as_store(store).keys_below(""))
    assert not any("zarrds-" in key for key in keys)
    to_zarrds(waves(3), store, mode="w", group=group)  # nothing foreign was left
    assert_same(open_zarrds(store, group=group), waves(3))


def test_where_mode_w_refuses_it_names_the_cure(tmp_path: Any) -> None:
    to_zarrds(waves(chunk=2), tmp_path / "a.zarr")
    with pytest.raises(SelfOverwriteError, match="mode='replace'"):
        to_zarrds(open_zarrds(tmp_path / "a.zarr"), tmp_path / "a.zarr", mode="w")


@pytest.mark.parametrize("make_store", [MemoryStore, lambda: KVStore({})])
@pytest.mark.parametrize("verb", ["set", "delete"])
def test_what_fails_before_the_exchange_leaves_the_old_one(make_store: Any, verb: str) -> None:
    inner = make_store()
    to_zarrds(waves(), inner)

    def broken(block: Any) -> Any:
        raise StoreError("broken")

    bad = waves(chunk=2) * 2
    bad["u"] = bad.u.copy(data=bad.u.data.map_blocks(broken, dtype="f8", meta=np.empty((0, 0))))
    before = dict(inner)
    with pytest.raises(StoreError):
        to_zarrds(bad, inner, mode="replace")
    assert dict(inner) == before
    assert_same(open_zarrds(inner), waves())
    if verb == "set" and isinstance(inner, KVStore):
        with pytest.raises(StoreError):
            to_zarrds(waves() * 2, FaultyStore(inner, StoreError("full"), verb="set", nth=3), mode="replace")
        assert_same(open_zarrds(inner), waves())


class Watched(WrappedStore):
    """A store without renames that looks at the dataset before each request that changes something."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.seen: list[Any] = []

    def called(self, verb: str, keys: Any) -> None:
        if verb in ("set", "delete", "rmdir"):
            try:
                found: Any = xr.open_dataset(self.store, engine="zarrds", consolidated=False)
                self.seen.append(found.u.values[0] if "u" in found else None)
            except FileNotFoundError:
                self.seen.append("nothing")


def test_readers_find_old_nothing_or_new(zarr_format: int) -> None:
    store = Watched(KVStore({}))
    ds = xr.Dataset({"u": ("x", np.full(6, 1.0))})
    to_zarrds(ds, store, consolidated=False)
    store.seen.clear()
    to_zarrds(ds.chunk(x=2) * 2, store, mode="replace", consolidated=False)
    order = [value for n, value in enumerate(store.seen) if n == 0 or value != store.seen[n - 1]]
    assert order == [1.0, "nothing", 2.0]


def test_what_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="compute=False"):
        to_zarrds(waves(), {}, mode="replace", compute=False)
    for options in ({"append_dim": "t"}, {"region": {"t": slice(0, 8)}}):
        with pytest.raises(ValueError, match="needs mode"):
            to_zarrds(waves(), {}, mode="replace", **options)
    to_zarrds(waves(), tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(ForeignFilesError):
        to_zarrds(waves(), tmp_path / "a.zarr", mode="replace")
    with ZipStore(tmp_path / "a.zip") as archive, pytest.raises(NotErasableError, match="mode='w'"):
        to_zarrds(waves(), archive, mode="replace")


def test_a_tree_is_replaced_as_a_whole() -> None:
    store = MemoryStore()
    to_zarrds(xr.DataTree.from_dict({"/": waves(), "/old": waves()}), store)
    to_zarrds(xr.DataTree.from_dict({"/new": waves(4)}), store, mode="replace")
    tree = xr.open_datatree(store, engine="zarrds")
    assert set(tree.children) == {"new"}
    assert_same(tree["new"].to_dataset(), waves(4))


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("group", [None, "a/b"])
def test_the_format_stays(number: int, group: str | None) -> None:
    """Whatever the default is; chunks of different lengths, which Zarr v2 has not, stay too."""
    store = MemoryStore()
    encoding = {"u": {"chunks": ((3, 5), 6)}} if number == 3 else {}
    to_zarrds(waves(), store, group=group, zarr_format=number, encoding=encoding)
    options: dict[str, Any] = {"align": "keep"} if number == 3 else {}
    plan = to_zarrds(open_zarrds(store, group) * 2, store, mode="replace", group=group, dry_run=True, **options)
    assert plan.zarr_format == number
    to_zarrds(open_zarrds(store, group) * 2, store, mode="replace", group=group, **options)
    found = zarrds.open_group(store, path=group or "", mode="r")
    assert found.zarr_format == number
    assert number == 2 or found["u"].chunks == ((3, 5), 6)
    array = MemoryStore()
    zarrds.zeros(3, store=array, zarr_format=number)
    to_zarrds(waves(), array, mode="replace")
    assert zarrds.open_group(array, mode="r").zarr_format == number
