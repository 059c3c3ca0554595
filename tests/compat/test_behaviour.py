"""What programs for Zarr-Python 2 do that the manual does not spell out; expected values were observed with 2.17.2."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds.errors import MetadataError, NotAStoreError, ReadOnlyError
from zarrds.storage import KVStore, MemoryStore, as_store, getsize, init_array, normalize_store_arg

from ..store.secret import FiveMethods

RECORD = np.dtype([("foo", "S3"), ("bar", "i4"), ("baz", "f8")])


# --- mappings that are no MutableMapping ------------------------------------------------------------------------------


class Duck:
    """Has the methods of a mapping, and no base class."""

    def __init__(self, data: dict[str, Any] | None = None) -> None:
        self.data: dict[str, Any] = {} if data is None else data

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def keys(self) -> Any:
        return self.data.keys()

    def values(self) -> Any:
        return self.data.values()

    def get(self, key: str, default: Any = None) -> Any:
        return self.data.get(key, default)


class WritableDuck(Duck):
    def __setitem__(self, key: str, value: Any) -> None:
        self.data[key] = value

    def __delitem__(self, key: str) -> None:
        del self.data[key]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_methods_of_a_mapping_are_enough(zarr_format: int) -> None:
    duck = WritableDuck()
    root = zarrds.group(duck, zarr_format=zarr_format)
    z = root.create_dataset("a/b", data=np.arange(10), chunks=4)
    z.attrs["x"] = 1
    z.append([10, 11])
    assert list(root["a"]) == ["b"]
    root.move("a", "c")
    assert zarrds.open(Duck(duck.data), mode="r")["c/b"][:].tolist() == [*range(12)]
    assert len(as_store(duck, mode="r+")) == len(duck.data)
    del root["c"]
    assert not [key for key in duck.data if key.startswith(("a", "c"))]


def test_a_mapping_without_setters_is_read_only() -> None:
    with pytest.raises(NotAStoreError):
        zarrds.create(3, store=Duck())
    store = as_store(Duck({"k": b"1"}))
    assert not store.is_writeable()
    with pytest.raises(ReadOnlyError):
        store["k"] = b"2"


@pytest.mark.parametrize(
    "given",
    [[], np.zeros(3), 5, (), b"abc", object(), set(), zarrds.group(), zarrds.zeros(3)],
    ids=lambda given: type(given).__name__,
)
def test_other_objects_are_no_stores(given: Any) -> None:
    with pytest.raises(NotAStoreError):
        zarrds.create(3, store=given)


def test_documents_as_text() -> None:
    """The references of kerchunk are a dict of texts, lists and bytes."""
    data: dict[str, Any] = {}
    zarrds.array(np.arange(4, dtype="u1"), store=data, compressor=None, chunks=2)
    references = {key: bytes(value).decode() if key.startswith(".") else value for key, value in data.items()}
    references["1"] = ["file.bin", 0, 2]
    z = zarrds.open(references, mode="r")
    assert z[:2].tolist() == [0, 1]
    with pytest.raises(TypeError, match="bytes-like"):
        z[:]
    with pytest.raises(OSError, match="bytes-like"):
        z[:]


def test_sizes_of_values_that_are_no_bytes() -> None:
    z = zarrds.create(10, chunks=5, store=KVStore({}))
    z[:] = 1
    size = z.nbytes_stored
    z.store["foo"] = np.arange(3)
    assert z.nbytes_stored == size + 24
    z.store["foo"] = [1, 2]
    assert z.store["foo"] == [1, 2]
    assert z.nbytes_stored == -1
    assert getsize(z.store, "foo") == -1
    with pytest.raises(TypeError):
        MemoryStore()["foo"] = [1, 2]  # type: ignore[assignment]


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [[], (), {}, "", 0, False, None], ids=repr)
def test_an_empty_compressor_is_none(nothing: Any) -> None:
    z = zarrds.create(4, chunks=4, dtype="u1", compressor=nothing)
    z[:] = 1
    assert z.compressor is None
    assert z.store["0"] == b"\1\1\1\1"
    assert zarrds.create(4, compressor=nothing, zarr_format=3).compressors == ()
    init_array(store := KVStore({}), 4, compressor=nothing)
    assert json.loads(store[".zarray"])["compressor"] is None


@pytest.mark.parametrize("given", [b"", b"a", b"\0" * 15], ids=repr)
def test_short_bytes_as_fill_value_of_a_record(given: bytes) -> None:
    expected = np.frombuffer(given.ljust(15, b"\0"), RECORD)[0]
    store: dict[str, Any] = {}
    z = zarrds.create(3, dtype=RECORD, fill_value=given, store=store)
    assert z.fill_value == expected
    assert z[0] == expected
    document = json.loads(store[".zarray"])
    store[".zarray"] = json.dumps({**document, "fill_value": document["fill_value"][:4] if given else ""}).encode()
    assert zarrds.open(store, mode="r")[0] == expected
    with pytest.raises(MetadataError, match="15 bytes"):
        zarrds.create(3, dtype=RECORD, fill_value=b"x" * 16)


@pytest.mark.parametrize(("written", "expected"), [(0, False), (1, True), (True, True), (False, False)])
def test_a_boolean_fill_value_that_is_a_number(written: Any, expected: bool) -> None:
    store: dict[str, Any] = {}
    zarrds.create(3, dtype=bool, fill_value=False, store=store, zarr_format=3)
    store["zarr.json"] = json.dumps({**json.loads(store["zarr.json"]), "fill_value": written}).encode()
    assert zarrds.open(store, mode="r")[:].tolist() == [expected] * 3
    for wrong in (2, "x", None, 0.5):
        store["zarr.json"] = json.dumps({**json.loads(store["zarr.json"]), "fill_value": wrong}).encode()
        with pytest.raises(MetadataError):
            zarrds.open(store, mode="r")


class Chunked:
    """Data with a member `chunks`."""

    def __init__(self, chunks: Any) -> None:
        self.data = np.zeros((1000, 1000))
        self.shape, self.dtype, self.chunks = self.data.shape, self.data.dtype, chunks

    def __getitem__(self, selection: Any) -> Any:
        return self.data[selection]

    def __len__(self) -> int:
        return 1000

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.data


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((100, 100), (100, 100)),
        ((-1, 10), (1000, 10)),
        (((100,) * 10, (500, 500)), (100, 500)),
        *((other, (250, 250)) for other in (None, True, False, 100, (100,), [50, 50], "auto")),
    ],
    ids=repr,
)
def test_chunks_of_data_are_taken_if_they_name_all_dimensions(chunks: Any, expected: tuple[int, ...]) -> None:
    assert zarrds.empty_like(Chunked(chunks)).chunks == expected
    if chunks in (None, (100,)):
        assert zarrds.array(Chunked(chunks), compressor=None).chunks == expected


@pytest.mark.parametrize("path", [None, "foo/bar"])
def test_overwriting_with_a_chunk_store(path: str | None) -> None:
    store: dict[str, Any] = {}
    chunks: dict[str, Any] = {}
    for value in range(2):
        z = zarrds.create(10, chunks=5, store=store, chunk_store=chunks, path=path, overwrite=True)
        z[:] = value
    assert z[:].tolist() == [1] * 10
    init_array(KVStore(store), 10, chunks=5, path=path, chunk_store=KVStore(chunks), overwrite=True)
    assert chunks == {}


# --- stores -----------------------------------------------------------------------------------------------------------


def test_the_zip_file_of_a_store(tmp_path: Path) -> None:
    with zarrds.ZipStore(tmp_path / "a.zip", mode="w") as store:
        store["a/b"] = b"1"
        with store.zf as file:
            assert isinstance(file, zipfile.ZipFile)
            assert file.namelist() == ["a/b"]
            assert oct(file.getinfo("a/b").external_attr >> 16) == "0o644"
        store["c"] = b"2"
    with zarrds.ZipStore(tmp_path / "a.zip", mode="r") as store, store.zf as file:
        assert file.read("c") == b"2"
    with store.zf as file:
        assert file.namelist() == ["a/b", "c"]


def test_versions_of_stores() -> None:
    class Newer(FiveMethods):
        _store_version = 4

    for use in (lambda: zarrds.create(3, store=Newer()), lambda: zarrds.open(Newer(), mode="w", shape=3)):
        with pytest.raises(ValueError, match="must be 2 or 3"):
            use()
    assert KVStore({})._store_version == 2


def test_normalize_store_arg(tmp_path: Path) -> None:
    assert type(normalize_store_arg(None)) is KVStore
    assert normalize_store_arg(store := MemoryStore()) is store
    assert normalize_store_arg(str(tmp_path), mode="w", zarr_version=2) == zarrds.DirectoryStore(tmp_path)
    with pytest.raises(ValueError, match="must be 2, 3"):
        normalize_store_arg({}, zarr_version=4)


@pytest.fixture
def n5(tmp_path: Path) -> Iterator[Any]:
    return iter([zarrds.N5Store(tmp_path / "a.n5")])


def test_digests_of_n5_arrays_with_attributes(n5: Iterator[Any]) -> None:
    z = zarrds.create(20, chunks=10, dtype="i4", store=next(n5))
    assert z.hexdigest() == "26405bde5dce8ad7879f962193661ab21bee7f9f"
    z[...] = 1
    z.attrs["foo"] = "bar"
    assert z.hexdigest() == "51c478aaac35bfe2e779521602f778a68c912e3e"


def test_compressors_that_few_n5_libraries_read(tmp_path: Path) -> None:
    with pytest.warns(RuntimeWarning, match="lzma"):
        z = zarrds.create(10, store=zarrds.N5Store(tmp_path / "a.n5"), compressor=numcodecs.LZMA(2))
    z[:] = 1
    assert z[:].tolist() == [1] * 10
