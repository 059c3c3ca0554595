"""What the one door lets in, and as what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fsspec
import pytest

from zarrds._store.adapt import as_store
from zarrds.errors import NotAStoreError, NotBytesError, ReadOnlyError, UnsupportedFormatError
from zarrds.storage import DirectoryStore, FSStore, KVStore, MemoryStore


def test_stores_pass() -> None:
    store = MemoryStore()
    assert as_store(store) is store


def test_paths(tmp_path: Path) -> None:
    assert as_store(tmp_path) == as_store(str(tmp_path)) == DirectoryStore(tmp_path)
    assert as_store("~/x.zarr").path == os.path.expanduser("~/x.zarr")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="non-fsspec"):
        as_store(str(tmp_path), storage_options={"anon": True})


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5"])
def test_kinds_to_come(name: str) -> None:
    with pytest.raises(UnsupportedFormatError) as caught:
        as_store(name)
    assert caught.value.hint


def test_urls(tmp_path: Path) -> None:
    store = as_store(f"file://{tmp_path}", mode="r", storage_options={"auto_mkdir": True})
    assert isinstance(store, FSStore)
    assert not store.is_writeable()
    assert as_store("memory://adapt", mode="r+").is_writeable()


def test_fsspec_maps() -> None:
    mapper = fsspec.get_mapper("memory://adapt-map")
    mapper["a/b"] = b"x"
    store = as_store(mapper, mode="a")
    assert isinstance(store, FSStore)
    assert dict(store) == {"a/b": b"x"}


def test_mappings() -> None:
    data: dict[str, Any] = {}
    store = as_store(data, mode="a")
    assert isinstance(store, KVStore)
    store["a"] = bytearray(b"x")
    assert data == {"a": b"x"}
    assert as_store(data) == store
    frozen = MappingProxyType({"a": b"x"})
    assert as_store(frozen)["a"] == b"x"
    with pytest.raises(ReadOnlyError):
        as_store(frozen)["a"] = b"y"
    with pytest.raises(TypeError):
        as_store(frozen, mode="a")


@pytest.mark.parametrize("thing", [None, 1, b"path", [("a", b"x")], object()])
def test_anything_else_is_refused(thing: object) -> None:
    with pytest.raises(TypeError, match="store"):
        as_store(thing)


class OwnWays(dict[str, Any]):
    """A mapping that knows its hierarchy."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.called: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("listdir", "rmdir", "rename", "getsize", "getitems"):
            self.called.append(name)
        return super().__getattribute__(name)

    def listdir(self, path: str) -> Iterator[str]:
        return iter(["own"])

    def rmdir(self, path: str) -> None:
        self.clear()

    def rename(self, src: str, dst: str) -> None:
        self[dst] = self.pop(src)

    def getsize(self, path: str) -> int:
        return 42

    def getitems(self, keys: list[str], *, contexts: object) -> dict[str, Any]:
        return {key: self[key] for key in keys if key in self}


def test_own_methods_of_a_mapping_are_used() -> None:
    data = OwnWays({"a": b"0123"})
    store = KVStore(data)
    assert store.get_many([("a", None), ("b", None)]) == [b"0123", None]
    assert (store.listdir("x"), store.getsize("x")) == (["own"], 42)
    store.rename("a", "c")
    store.rmdir("")
    assert set(data.called) == {"listdir", "rmdir", "rename", "getsize", "getitems"}


def test_values_are_returned_as_they_are() -> None:
    value = memoryview(b"abc")
    assert KVStore({"a": value})["a"] is value
    assert KVStore({"a": "text"})["a"] == "text"  # type: ignore[comparison-overlap]
    assert KVStore({"a": "text"}).get_many([("a", None)]) == [b"text"]
    with pytest.raises(NotBytesError) as caught:
        KVStore({"a": [1]}).get_many([("a", None)])
    assert (caught.value.key, caught.value.found) == ("a", "list")


def test_keys_of_a_mapping_are_texts() -> None:
    store = KVStore({1: b"1"})  # type: ignore[dict-item]
    for ask in (store.listdir, lambda: store.rename("a", "b")):
        with pytest.raises(NotAStoreError, match="are texts"):
            ask()


def test_an_error_inside_a_mapping_is_its_own() -> None:
    class Broken(dict[str, bytes]):
        def __iter__(self) -> Iterator[str]:
            raise AttributeError("of the mapping")

    with pytest.raises(AttributeError, match="of the mapping"):
        list(KVStore(Broken()).keys_below())
