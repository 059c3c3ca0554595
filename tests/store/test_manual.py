"""What the manual shows of local stores (2.11 and 3.4), with its output."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds as zarr
from zarrds.storage import KVStore, init_array


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)


def test_open_is_short_for_a_directory_store() -> None:
    z = zarr.open("data/example.zarr", mode="w", shape=1000000, dtype="i4")
    assert type(z.store) is zarr.DirectoryStore
    again = zarr.create(store=zarr.DirectoryStore("data/example.zarr"), overwrite=True, shape=1000000, dtype="i4")
    assert again == z
    root = zarr.open("data/example.zarr", mode="w")
    assert root == zarr.group(store=zarr.DirectoryStore("data/example.zarr"), overwrite=True)


def test_zip_of_the_tutorial() -> None:
    store = zarr.ZipStore("data/example.zip", mode="w")
    root = zarr.group(store=store)
    z = root.zeros("foo/bar", shape=(1000, 1000), chunks=(100, 100), dtype="i4")
    z[:] = 42
    store.close()
    store = zarr.ZipStore("data/example.zip", mode="r")
    root = zarr.group(store=store)
    shown = repr(root["foo/bar"][:])
    assert shown.startswith("array([[42, 42, 42, ..., 42, 42, 42],\n       [42, 42, 42, ..., 42, 42, 42],\n")
    assert shown.endswith("dtype=int32)")
    assert (root["foo/bar"][:] == 42).all()
    store.close()


@pytest.mark.parametrize(
    ("cls", "path"),
    [
        ("DBMStore", "data/example.db"),
        ("LMDBStore", "data/example.lmdb"),
        ("SQLiteStore", "data/example.sqldb"),
        ("DirectoryStore", "data/example"),
        ("NestedDirectoryStore", "data/example"),
    ],
)
def test_databases_of_the_tutorial(cls: str, path: str) -> None:
    if cls == "LMDBStore":
        pytest.importorskip("lmdb")
    store = getattr(zarr, cls)(path)
    root = zarr.group(store=store, overwrite=True)
    z = root.zeros("foo/bar", shape=(1000, 1000), chunks=(100, 100), dtype="i4")
    z[:] = 42
    store.close()
    with getattr(zarr, cls)(path) as store:
        z = zarr.group(store=store)["foo/bar"]
        assert (z.nchunks_initialized, z.nchunks) == (100, 100)
        assert (z[:] == 42).all()


@pytest.mark.parametrize("cls", ["DBMStore", "LMDBStore", "SQLiteStore", "ZipStore"])
def test_stores_are_context_managers(cls: str) -> None:
    if cls == "LMDBStore":
        pytest.importorskip("lmdb")
    with getattr(zarr, cls)("data/array.x") as store:
        z = zarr.zeros((10, 10), chunks=(5, 5), store=store, overwrite=True)
        z[...] = 42
    with getattr(zarr, cls)("data/array.x") as store:
        assert sorted(store) == [".zarray", "0.0", "0.1", "1.0", "1.1"]
        assert zarr.open(store)[9, 9] == 42


def test_default_stores() -> None:
    assert str(type(zarr.group().store)) == "<class 'zarrds.storage.MemoryStore'>"
    assert str(type(zarr.zeros(100).store)) == "<class 'zarrds.storage.KVStore'>"


def test_files_of_a_directory_store() -> None:
    z = zarr.zeros((10, 10), chunks=(5, 5), store=zarr.DirectoryStore("data/array.zarr"), overwrite=True)
    z[...] = 42
    assert sorted(os.listdir("data/array.zarr")) == [".zarray", "0.0", "0.1", "1.0", "1.1"]
    root = zarr.group(store=zarr.DirectoryStore("data/group.zarr"), overwrite=True)
    bar = root.create_group("foo").zeros("bar", shape=(10, 10), chunks=(5, 5))
    bar[...] = 42
    assert sorted(os.listdir("data/group.zarr")) == [".zgroup", "foo"]
    assert sorted(os.listdir("data/group.zarr/foo")) == [".zgroup", "bar"]
    assert sorted(os.listdir("data/group.zarr/foo/bar")) == [".zarray", "0.0", "0.1", "1.0", "1.1"]


def test_files_of_a_nested_directory_store() -> None:
    z = zarr.zeros((10, 10), chunks=(5, 5), store=zarr.NestedDirectoryStore("data/array.zarr"), overwrite=True)
    z[...] = 42
    assert sorted(os.listdir("data/array.zarr")) == [".zarray", "0", "1"]
    assert sorted(os.listdir("data/array.zarr/0")) == sorted(os.listdir("data/array.zarr/1")) == ["0", "1"]
    root = zarr.group(store=zarr.NestedDirectoryStore("data/group.zarr"), overwrite=True)
    bar = root.create_group("foo").zeros("bar", shape=(10, 10), chunks=(5, 5))
    bar[...] = 42
    assert sorted(os.listdir("data/group.zarr/foo/bar")) == [".zarray", "0", "1"]
    assert sorted(os.listdir("data/group.zarr/foo/bar/0")) == ["0", "1"]


def test_second_writes_to_a_zip_store_warn() -> None:
    store = zarr.ZipStore("data/example.zip", mode="w")
    z = zarr.zeros(100, chunks=10, store=store)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z[...] = 42
    with pytest.warns(UserWarning, match="Duplicate name"):
        z[...] = 42
    store.close()
    store = zarr.ZipStore("data/example.zip", mode="w")
    z = zarr.zeros(100, chunks=10, store=store)
    z[5:15] = 42
    with pytest.warns(UserWarning, match="Duplicate name: '1'"):
        z[15:25] = 42
    assert list(np.flatnonzero(z[:])) == list(range(5, 25))
    store.close()


def test_a_zipped_directory_is_a_zip_store(tmp_path: Path) -> None:
    import shutil

    data = np.arange(100).reshape(10, 10)
    zarr.save("data/archive.zarr", data)
    shutil.make_archive("data/archive.zarr", "zip", "data/archive.zarr")
    np.testing.assert_array_equal(zarr.load("data/archive.zarr.zip"), data)


@pytest.mark.parametrize(
    ("options", "path", "keys"),
    [
        ({"shape": (10000, 10000), "chunks": (1000, 1000)}, "", [".zarray"]),
        ({"shape": 100000000, "chunks": 1000000, "dtype": "i1", "path": "foo"}, "foo/", [".zgroup", "foo/.zarray"]),
    ],
)
def test_init_array(options: dict[str, Any], path: str, keys: list[str]) -> None:
    store = KVStore({})
    init_array(store, **options)
    assert sorted(store.keys()) == keys
    shape, chunks, dtype = ([10000, 10000], [1000, 1000], "<f8") if not path else ([100000000], [1000000], "|i1")

    def numbers(values: list[int]) -> str:
        return ",\n".join(f"        {value}" for value in values)

    assert store[f"{path}.zarray"].decode() == (
        f"""{{
    "chunks": [
{numbers(chunks)}
    ],
    "compressor": {{
        "blocksize": 0,
        "clevel": 5,
        "cname": "lz4",
        "id": "blosc",
        "shuffle": 1
    }},
    "dtype": "{dtype}",
    "fill_value": null,
    "filters": null,
    "order": "C",
    "shape": [
{numbers(shape)}
    ],
    "zarr_format": 2
}}"""
    )
