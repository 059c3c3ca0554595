"""Formats asked of N5 containers: they have documents of Zarr v2, and what they cannot have changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xarray_backend
import zarrds
import zarrds.dask
from zarrds._store.base import Store
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.errors import DTypeNotSupportedError, MetadataError, UnsupportedFormatError
from zarrds.storage import KVStore, LRUStoreCache

DATA = np.arange(6)
N5Class = type[zarrds.N5Store] | type[zarrds.N5FSStore]


def files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture(params=[zarrds.N5Store, zarrds.N5FSStore])
def make(request: pytest.FixtureRequest) -> N5Class:
    found: N5Class = request.param
    return found


CREATING: dict[str, Callable[..., Any]] = {
    "create": lambda store, **kw: zarrds.create(4, store=store, path="new", **kw),
    "overwrite": lambda store, **kw: zarrds.create(4, store=store, path="z", overwrite=True, **kw),
    "array": lambda store, **kw: zarrds.array(DATA, store=store, path="new/below", **kw),
    "open_array": lambda store, **kw: zarrds.open_array(store, mode="w", shape=3, **kw),
    "open_array a": lambda store, **kw: zarrds.open_array(store, mode="a", shape=3, path="new", **kw),
    "group": lambda store, **kw: zarrds.group(store, overwrite=True, **kw),
    "open_group": lambda store, **kw: zarrds.open_group(store, mode="w", **kw),
    "open_group a": lambda store, **kw: zarrds.open_group(store, mode="a", path="new", **kw),
    "open": lambda store, **kw: zarrds.open(store, mode="w", **kw),
    "save": lambda store, **kw: zarrds.save(store, DATA, **kw),
    "save_array": lambda store, **kw: zarrds.save_array(store, DATA, path="new", **kw),
    "save_group": lambda store, **kw: zarrds.save_group(store, DATA, b=DATA, **kw),
    "dask": lambda store, **kw: zarrds.dask.to_zarr(
        zarrds.dask.from_zarr(zarrds.array(DATA, chunks=3)), store, "new", **kw
    ),
    "xarray": lambda store, **kw: xarray_backend.to_zarrds(xr.Dataset({"v": ("x", DATA)}), store, mode="w", **kw),
}


@pytest.mark.parametrize("name", CREATING)
def test_format_3_is_refused_before_anything_changes(name: str, make: N5Class, tmp_path: Path) -> None:
    store = make(str(tmp_path / "a.n5"))
    zarrds.array(DATA, chunks=3, store=store, path="z")
    before = files(tmp_path)
    with pytest.raises(UnsupportedFormatError, match="Zarr v2"):
        CREATING[name](store, zarr_format=3)
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", CREATING)
def test_a_container_has_format_2_whatever_is_the_default(name: str, make: N5Class, tmp_path: Path) -> None:
    store = make(str(tmp_path / "a.n5"))
    with zarrds.config_context(default_format=3):
        CREATING[name](store)
    assert all(key.rpartition("/")[2] != "zarr.json" for key in files(tmp_path))
    assert zarrds.open(make(str(tmp_path / "a.n5")), mode="r").zarr_format == 2


def test_a_cache_over_a_container_knows_it_too(tmp_path: Path) -> None:
    store = LRUStoreCache(zarrds.N5Store(str(tmp_path / "a.n5")), max_size=None)
    with zarrds.config_context(default_format=3):
        zarrds.save(store, DATA)
    np.testing.assert_array_equal(zarrds.load(store), DATA)
    with pytest.raises(UnsupportedFormatError):
        zarrds.save(store, DATA, zarr_format=3)
    with pytest.raises(DTypeNotSupportedError):
        zarrds.save(store, DATA * 1j)
    np.testing.assert_array_equal(zarrds.load(store), DATA)


@pytest.mark.parametrize(
    "options",
    [{"dtype": "c16"}, {"dtype": "i4", "fill_value": 5}, {"dtype": "i4", "order": "F"}],
    ids=lambda options: "-".join(options),
)
def test_what_n5_cannot_say_deletes_nothing(options: dict[str, Any], make: N5Class, tmp_path: Path) -> None:
    store = make(str(tmp_path / "a.n5"))
    zarrds.array(DATA, chunks=3, store=store, path="z")
    before = files(tmp_path)
    with pytest.raises(MetadataError):
        zarrds.create(4, store=store, path="z", overwrite=True, **options)
    assert files(tmp_path) == before
    with pytest.raises(MetadataError):
        xarray_backend.to_zarrds(xr.Dataset({"v": ("x", DATA * 1j)}), store, mode="w")
    assert files(tmp_path) == before


COPIES: dict[str, Callable[[Store, Store], Any]] = {
    "at once": zarrds.copy_store,
    "tasks": lambda source, dest: zarrds.dask.copy_store(source, dest, if_exists="replace").compute(),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_without_headers_of_blocks_are_not_copied(
    name: str, zarr_format: int, make: N5Class, tmp_path: Path
) -> None:
    source = zarrds.DirectoryStore(tmp_path / "source")
    zarrds.group(source, zarr_format=zarr_format).array("z", DATA, chunks=3)
    dest = make(str(tmp_path / "a.n5"))
    with pytest.raises(UnsupportedFormatError):
        COPIES[name](source, dest)
    assert list(dest) == []
    zarrds.copy_all(zarrds.open_group(source, mode="r"), zarrds.group(dest))
    np.testing.assert_array_equal(zarrds.open(dest, mode="r")["z"][:], DATA)


@pytest.mark.parametrize("name", COPIES)
def test_blocks_are_copied_as_they_are(name: str, make: N5Class, tmp_path: Path) -> None:
    source, dest = make(str(tmp_path / "a.n5")), make(str(tmp_path / "b.n5"))
    zarrds.group(source).array("z", DATA, chunks=3).attrs["k"] = 1
    COPIES[name](source, dest)
    assert files(tmp_path / "b.n5") == files(tmp_path / "a.n5")


@pytest.mark.parametrize(
    ("key", "text"),
    [("zarr.json", b'{"zarr_format": 3, "node_type": "group"}'), ("z/.zarray", b"{}"), ("z/.zarray", b"{")],
)
def test_broken_documents_are_refused(key: str, text: bytes) -> None:
    files = KVStore({})
    store = N5Mapping(files)
    with pytest.raises(MetadataError):
        store[key] = text
    assert dict(files) == {}


def test_only_documents_that_a_node_shows_are_deleted(make: N5Class, tmp_path: Path) -> None:
    store = make(str(tmp_path / "a.n5"))
    zarrds.group(store).array("z", DATA, chunks=3).attrs["k"] = 1
    before = files(tmp_path)
    store.delete_many([".zarray", "zarr.json", ".zattrs", "z/.zgroup", "z/zarr.json", "none/.zgroup"])
    assert files(tmp_path) == before
    store.delete_many(["z/.zattrs"])
    assert sorted(store) == [".zgroup", "z/.zarray", "z/0", "z/1"]
    store.delete_many(["z/.zarray", ".zgroup"])
    assert sorted(files(tmp_path)) == ["a.n5/z/0", "a.n5/z/1"]
