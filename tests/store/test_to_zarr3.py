"""Stores of zarrds in the hands of Zarr-Python 3."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import ReadOnlyError
from zarrds.storage import (
    DirectoryStore,
    KVStore,
    LRUStoreCache,
    MemoryStore,
    ReadOnlyStore,
    SQLiteStore,
    Store,
    ZipStore,
    as_zarr3_store,
)

zarr = pytest.importorskip("zarr", minversion="3")

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda path: MemoryStore(),
    "dict": lambda path: KVStore({}),
    "directory": lambda path: DirectoryStore(path / "a.zarr"),
    "sqlite": lambda path: SQLiteStore(path / "a.sqlite"),
    "cache": lambda path: LRUStoreCache(DirectoryStore(path / "a.zarr"), max_size=None),
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", STORES)
def test_zarr_python_writes_and_reads(name: str, zarr_format: int, tmp_path: Path) -> None:
    with STORES[name](tmp_path) as inner:
        store = as_zarr3_store(inner)
        root = zarr.create_group(store, zarr_format=zarr_format)
        z = root.create_array("g/a", shape=(8, 8), chunks=(2, 4), dtype="i4", attributes={"units": "m"})
        z[:] = np.arange(64).reshape(8, 8)
        ours = zarrds.open_group(inner, mode="r+")["g/a"]
        assert ours[:].tolist() == np.arange(64).reshape(8, 8).tolist()
        assert ours.attrs["units"] == "m"
        ours[0, 0] = -1
        assert zarr.open_group(store, mode="r")["g/a"][0, 0] == -1
        assert sorted(name for name, _ in root["g"].members()) == ["a"]
        del root["g/a"]
        assert "g/a" not in zarrds.open_group(inner, mode="r")


def test_shards_are_read_in_parts() -> None:
    inner = MemoryStore()
    z = zarr.create_array(as_zarr3_store(inner), shape=(8, 8), chunks=(2, 2), shards=(4, 8), dtype="u1")
    z[:] = np.arange(64).reshape(8, 8)
    assert zarr.open_array(as_zarr3_store(inner), mode="r")[5, 2:5].tolist() == [42, 43, 44]
    assert zarrds.open(inner, mode="r")[5, 2:5].tolist() == [42, 43, 44]


def test_an_archive_is_read(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "a.zip", mode="w") as inner:
        zarrds.array(np.arange(10), store=inner, chunks=5)
    with ZipStore(tmp_path / "a.zip", mode="r") as inner:
        store = as_zarr3_store(inner)
        assert store.read_only
        assert zarr.open_array(store, mode="r")[3:7].tolist() == [3, 4, 5, 6]
        with pytest.raises(ReadOnlyError):
            store.with_read_only(False)


def test_writing_is_refused_where_it_should_be() -> None:
    inner = MemoryStore()
    zarrds.array([1, 2], store=inner)
    for store in (as_zarr3_store(inner, read_only=True), as_zarr3_store(ReadOnlyStore(inner))):
        with pytest.raises((ReadOnlyError, ValueError)):
            zarr.open_array(store)[:] = 5
    assert zarrds.open(inner)[:].tolist() == [1, 2]


def test_pickles_are_small_and_equal(tmp_path: Path) -> None:
    store = as_zarr3_store(DirectoryStore(tmp_path))
    zarr.create_array(store, shape=4, dtype="i4")[:] = 7
    pickled = pickle.dumps(store)
    assert len(pickled) < 2000
    assert pickle.loads(pickled) == store
    assert store != as_zarr3_store(DirectoryStore(tmp_path / "b"))
    assert zarr.open_array(pickle.loads(pickled), mode="r")[:].tolist() == [7] * 4


def test_the_methods_of_the_interface() -> None:
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync

    inner = KVStore({"a/b": b"0123456789", "a/c/d": b"1", "ab": b"2"})
    store = as_zarr3_store(inner)
    buffer = default_buffer_prototype().buffer

    async def collected(names: Any) -> list[str]:
        return sorted([name async for name in names])

    async def size(key: str) -> int:
        return await store.getsize(key)

    assert sync(collected(store.list())) == ["a/b", "a/c/d", "ab"]
    assert sync(collected(store.list_prefix("a/"))) == ["a/b", "a/c/d"]
    assert sync(collected(store.list_prefix("a"))) == ["a/b", "a/c/d", "ab"]
    assert sync(collected(store.list_dir("a"))) == ["b", "c"]
    assert sync(size("a/b")) == 10
    with pytest.raises(FileNotFoundError):
        sync(size("x"))
    sync(store.set_if_not_exists("ab", buffer.from_bytes(b"3")))
    sync(store.set_if_not_exists("new", buffer.from_bytes(b"4")))
    assert (inner["ab"], inner["new"]) == (b"2", b"4")
    sync(store.delete("absent"))
    sync(store.delete_dir("a"))
    assert sorted(inner) == ["ab", "new"]
    sync(store.clear())
    assert list(inner) == []
