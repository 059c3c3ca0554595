"""Stores of Zarr-Python 3 as stores: what it filled is read, and what is written there it reads."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._base.types import ByteRange
from zarrds._store.backends.zarr3 import Zarr3Store
from zarrds.errors import NotAStoreError, NotErasableError, ReadOnlyError, StoreError
from zarrds.storage import DirectoryStore, FSStore, KVStore, ObstoreStore, Store, as_store

zarr = pytest.importorskip("zarr", minversion="3")


def fsspec_store(path: Path) -> Any:
    return zarr.storage.FsspecStore.from_url(f"memory:/{path}/a")


def obstore_store(path: Path) -> Any:
    return zarr.storage.ObjectStore(pytest.importorskip("obstore.store").MemoryStore())


STORES: dict[str, tuple[Callable[[Path], Any], type[Store]]] = {
    "dict": (lambda path: {}, KVStore),
    "memory": (lambda path: zarr.storage.MemoryStore(), Zarr3Store),
    "local": (lambda path: zarr.storage.LocalStore(path / "a"), DirectoryStore),
    "fsspec": (fsspec_store, FSStore),
    "object": (obstore_store, ObstoreStore),
    "logging": (lambda path: zarr.storage.LoggingStore(zarr.storage.MemoryStore(), log_level="ERROR"), Zarr3Store),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param][0](tmp_path)


@pytest.mark.parametrize("name", STORES)
def test_what_they_become(name: str, tmp_path: Path) -> None:
    make, kind = STORES[name]
    assert type(as_store(make(tmp_path), mode="w")) is kind


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shards", [None, (4,)])
def test_what_zarr_python_wrote_is_read_and_changed(store: Any, zarr_format: int, shards: Any) -> None:
    shards = shards if zarr_format == 3 else None
    theirs = zarr.create_array(
        store, name="u", shape=8, chunks=(2,), shards=shards, dtype="i4", zarr_format=zarr_format
    )
    theirs[:] = np.arange(8)
    ours = zarrds.open_array(store, mode="r+", path="u")
    np.testing.assert_array_equal(ours[1:5], np.arange(1, 5))
    ours[3:6] = 70
    ours.attrs["unit"] = "m"
    ours.append(np.array([8, 9], "i4"))
    again = zarr.open_array(store, path="u", mode="r")
    np.testing.assert_array_equal(again[:], [0, 1, 2, 70, 70, 70, 6, 7, 8, 9])
    assert dict(again.attrs) == {"unit": "m"}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_python_reads_what_was_written(store: Any, zarr_format: int) -> None:
    if isinstance(store, dict):  # of an empty one nobody knows whose values it is to have
        zarr.create_group(store, zarr_format=zarr_format)
    group = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    group.create_dataset("a/b", data=np.arange(6).reshape(2, 3), chunks=(1, 2))
    np.testing.assert_array_equal(zarr.open_group(store, mode="r")["a/b"][:], np.arange(6).reshape(2, 3))
    del group["a"]
    assert list(group) == []


def test_batches_ranges_and_listings() -> None:
    store = as_store(zarr.storage.MemoryStore(), mode="w")
    assert store.get_many([("a", None)]) == [None]
    store.set_many([("a/b", b"012345"), ("a/c/d", bytearray(b"x")), ("e", b"")])
    ranges = [ByteRange(1, 3), ByteRange(4), ByteRange(-2), None]
    assert store.get_many([("a/b", part) for part in ranges]) == [b"12", b"45", b"45", b"012345"]
    assert (list(store), store.listdir("a")) == (["a/b", "a/c/d", "e"], ["b", "c"])
    store.delete_many(["a/b", "absent"])
    assert sorted(store) == ["a/c/d", "e"]


def test_the_expected_value_is_replaced() -> None:
    store = as_store(zarr.storage.MemoryStore(), mode="w")
    assert store.set_if("a", b"1", None)
    assert not store.set_if("a", b"2", None)
    assert store.set_if("a", b"2", b"1")
    with pytest.raises(StoreError, match="compared"):
        as_store(zarr.storage.LoggingStore(zarr.storage.MemoryStore(), log_level="ERROR"), mode="w").set_if(
            "a", b"", None
        )


def test_zip_files(tmp_path: Path) -> None:
    with zarr.storage.ZipStore(tmp_path / "a.zip", mode="w") as file:
        zarrds.open_array(file, mode="w-", shape=4, chunks=2, dtype="i4", fill_value=7)[:2] = 1
        with pytest.raises(NotErasableError):
            del as_store(file, mode="w")["0"]
        with pytest.raises(NotAStoreError, match="close it"):
            as_store(file)
    with zarr.storage.ZipStore(tmp_path / "a.zip", mode="r") as file:
        assert zarrds.open_array(file, mode="r")[:].tolist() == [1, 1, 7, 7]
        assert list(as_store(file)) == [".zarray", "0"]


@pytest.mark.parametrize("name", ["memory", "local", "fsspec", "object"])
def test_read_only_ones_are_not_written_to(name: str, tmp_path: Path) -> None:
    made = STORES[name][0](tmp_path)
    zarrds.open_array(made, mode="w", shape=4, dtype="i4")[:] = 1
    read_only = made.with_read_only(read_only=True)
    with pytest.raises(ReadOnlyError):
        as_store(read_only, mode="w")
    store = as_store(read_only)
    assert not store.is_writeable()
    assert zarrds.open_array(store, mode="r")[:].tolist() == [1, 1, 1, 1]
    with pytest.raises(ReadOnlyError):
        store["0"] = b""


def test_errors_are_failures() -> None:
    class Failing(zarr.storage.MemoryStore):  # type: ignore[misc, name-defined]
        async def get(self, *args: Any, **options: Any) -> Any:
            raise ConnectionError("lost")

    with pytest.raises(StoreError, match="lost"):
        zarrds.open_array(Failing(), mode="a", shape=4, dtype="i4")


def test_pickles() -> None:
    store = as_store(zarr.storage.MemoryStore(), mode="w")
    store["a"] = b"x"
    assert pickle.loads(pickle.dumps(store))["a"] == b"x"
    with pytest.raises(zarrds.errors.StoreNotShareableError):
        pickle.dumps(as_store(zarr.storage.LoggingStore(zarr.storage.MemoryStore(), log_level="ERROR"), mode="w"))
