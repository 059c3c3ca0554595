"""Arrays as Python and numpy see them: conversion, iteration, equality, pickling, names, representations."""

from __future__ import annotations

import copy
import operator
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.storage import DirectoryStore, FSStore, KVStore, MemoryStore, NestedDirectoryStore


def numbers() -> zarrds.Array:
    return zarrds.array(np.arange(10) * 2, chunks=3)


# --- numpy ------------------------------------------------------------------------------------------------------------


def test_to_numpy() -> None:
    z = numbers()
    for found in (np.asarray(z), np.array(z), np.asanyarray(z), z.__array__(), z[...]):
        assert type(found) is np.ndarray
        assert found.tolist() == list(range(0, 20, 2))
        assert found.dtype == z.dtype


def test_to_numpy_with_a_dtype() -> None:
    z = numbers()
    for found in (np.asarray(z, "f4"), z.__array__("f4"), z.__array__(np.float32), z.__array__(dtype="f4")):
        assert found.dtype == "f4"
    with pytest.raises(TypeError):
        z.__array__("f4", "i2")


def test_a_stored_array_is_always_a_copy() -> None:
    assert np.array(numbers(), copy=True).tolist() == list(range(0, 20, 2))
    with pytest.raises(ValueError, match="copy"):
        np.array(numbers(), copy=False)


def test_numpy_functions() -> None:
    z = numbers()
    assert np.stack([z, z]).shape == (2, 10)
    assert np.concatenate([z, z]).shape == (20,)
    assert np.zeros_like(z, dtype=bool).tolist() == [False] * 10
    assert np.sum(z) == 90
    assert np.arange(30)[z].tolist() == z[:].tolist()
    assert np.arange(30)[zarrds.array([3])].tolist() == [3]


# --- scalars ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, 0, 2.5, True, 1 + 2j])
def test_0d_arrays_are_scalars(value: Any) -> None:
    z = zarrds.array(value)
    assert z.shape == ()
    assert z.chunks == ()
    assert (z.nchunks, z.nchunks_initialized, z.size, z.ndim) == (1, 1, 1, 0)
    assert bool(z) is bool(value)
    assert complex(z) == value
    assert z[()] == value
    assert isinstance(z[()], np.generic)
    assert isinstance(z[...], np.ndarray)
    if not isinstance(value, complex):
        assert float(z) == value
        assert int(z) == int(value)


def test_only_0d_integers_are_indices() -> None:
    assert [10, 11, 12][zarrds.array(1)] == 11
    for z in (zarrds.array([1]), zarrds.array(1.5), zarrds.array([])):
        with pytest.raises(TypeError):
            operator.index(z)
    with pytest.raises(TypeError):
        int(zarrds.array([1, 2]))
    assert numbers().oindex[zarrds.array([1])].tolist() == [2]


@pytest.mark.parametrize("dtype", ["i4", "U3", "S2", "M8[s]", str, [("a", "i4"), ("b", "S2")]])
def test_0d_of_every_kind(dtype: Any) -> None:
    z = zarrds.zeros((), dtype=dtype)
    value = {"U3": "x", "S2": b"x", "M8[s]": np.datetime64("2000-01-01"), str: "some"}.get(
        dtype if isinstance(dtype, str | type) else "", 5
    )
    if isinstance(dtype, list):
        value = (1, b"q")
    z[()] = value
    again = zarrds.Array(z.store)
    assert again[()] == (np.array(value, dtype)[()] if isinstance(dtype, list) else value)
    z[...] = z[...]
    assert again[()] == z[()]


def test_length_and_truth() -> None:
    assert len(numbers()) == 10
    assert bool(numbers())
    assert not zarrds.zeros((0, 3))
    with pytest.raises(TypeError, match="len"):
        len(zarrds.zeros(()))


# --- iteration --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((), range(10)),
        ((0,), range(10)),
        ((2,), range(2, 10)),
        ((2, 5), range(2, 5)),
        ((3, 6), range(3, 6)),
        ((2, 7), range(2, 7)),
        ((0, 0), range(0)),
        ((5, 2), range(0)),
        ((0, 100), range(10)),
        ((100,), range(0)),
        ((None, 3), range(3)),
        ((2, None), range(2, 10)),
        ((9, 10), range(9, 10)),
    ],
)
def test_islice(args: Any, expected: range) -> None:
    assert [int(n) // 2 for n in numbers().islice(*args)] == list(expected)
    rows = zarrds.array(np.arange(20).reshape(10, 2), chunks=(4, 1))
    assert [row.tolist() for row in rows.islice(*args)] == [[2 * n, 2 * n + 1] for n in expected]


@pytest.mark.parametrize("args", [(-1,), (2, -1), (1.5,), ("a",)])
def test_islice_refuses(args: Any) -> None:
    with pytest.raises(ValueError, match="nonnegative integer"):
        list(numbers().islice(*args))


class Listening(KVStore):
    def __init__(self) -> None:
        super().__init__({})
        self.read: list[str] = []

    def get_many(self, requests: Any) -> Any:
        self.read += [key for key, _ in requests]
        return super().get_many(requests)


def test_iteration_reads_each_chunk_once() -> None:
    store = Listening()
    z = zarrds.array(np.arange(20).reshape(10, 2), chunks=(4, 1), store=store)
    store.read.clear()
    assert len(list(z)) == 10
    assert sorted(store.read) == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]
    store.read.clear()
    assert len(list(z.islice(3, 5))) == 2
    assert sorted(store.read) == ["0.0", "0.1", "1.0", "1.1"]


def test_iteration_in_other_ways() -> None:
    z = numbers()
    assert sum(z) == 90
    assert max(z) == 18
    assert 4 in z
    assert 5 not in z
    assert [int(a) for a, _ in zip(z, z, strict=True)] == list(range(0, 20, 2))
    with pytest.raises(TypeError, match="0-d"):
        list(zarrds.zeros(()))


# --- identity ---------------------------------------------------------------------------------------------------------


def test_equality_is_of_places() -> None:
    root = zarrds.group()
    a = root.array("a", np.arange(3))
    assert a == root["a"]
    assert a == zarrds.Array(root.store, "/a/")
    assert a != zarrds.Array(root.store, "a", read_only=True)
    assert a != root.array("b", np.arange(3))
    assert zarrds.array([1, 2]) == zarrds.array([1, 2])  # equal mappings are equal stores
    assert zarrds.array([1, 2]) != zarrds.array([1, 3])
    assert a != 3
    assert a != "a"


def test_arrays_are_not_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(numbers())


def test_names() -> None:
    root = zarrds.group()
    a = root.create_dataset("a/b/c", shape=3)
    assert (a.name, a.basename, a.path) == ("/a/b/c", "c", "a/b/c")
    z = zarrds.zeros(3)
    assert (z.name, z.basename, z.path) == (None, None, "")


def test_representations() -> None:
    root = zarrds.group()
    assert repr(root.zeros("foo/bar", shape=100, dtype="i8")) == "<zarrds.core.Array '/foo/bar' (100,) int64>"
    assert repr(zarrds.zeros(10, read_only=True)) == "<zarrds.core.Array (10,) float64 read-only>"
    assert repr(zarrds.zeros((), dtype=">i2")) == "<zarrds.core.Array () >i2>"
    assert str(zarrds.zeros((3, 0), dtype="M8[ns]")) == "<zarrds.core.Array (3, 0) datetime64[ns]>"
    assert f"{zarrds.zeros(1, dtype=str)}" == "<zarrds.core.Array (1,) object>"


# --- pickling ---------------------------------------------------------------------------------------------------------


def stores(folder: Path) -> dict[str, Any]:
    return {
        "dict": {},
        "KVStore": KVStore({}),
        "MemoryStore": MemoryStore(),
        "path": str(folder / "path.zarr"),
        "DirectoryStore": DirectoryStore(str(folder / "flat.zarr")),
        "NestedDirectoryStore": NestedDirectoryStore(str(folder / "nested.zarr")),
        "FSStore": FSStore(str(folder / "fs.zarr")),
        "URL": f"file://{folder}/url.zarr",
    }


IN_MEMORY = {"dict", "KVStore", "MemoryStore"}
KINDS = [*IN_MEMORY, "path", "DirectoryStore", "NestedDirectoryStore", "FSStore", "URL"]


@pytest.mark.parametrize("options", [{}, {"path": "a/b"}, {"read_only": True}, {"write_empty_chunks": False}], ids=str)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_pickling(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 2**60, 5000)  # which no codec makes small
    z = zarrds.array(data, chunks=700, store=stores(tmp_path)[kind], **options)
    if not z.read_only:
        z.attrs["x"] = 1
    pickled = pickle.dumps(z)
    assert len(pickled) > 40000 if kind in IN_MEMORY else len(pickled) < 1000
    other = pickle.loads(pickled)
    assert other == z
    assert repr(other) == repr(z)
    assert type(other.store) is type(z.store)
    assert other.write_empty_chunks == z.write_empty_chunks
    assert other.attrs.asdict() == z.attrs.asdict()
    assert np.array_equal(other[:], z[:])
    if kind not in IN_MEMORY and not z.read_only:
        other[0] = 77
        assert z[0] == 77


def test_pickling_keeps_how_an_array_was_opened(tmp_path: Path) -> None:
    lock = zarrds.ProcessSynchronizer(str(tmp_path / "locks"))
    z = zarrds.open_array(
        str(tmp_path / "z.zarr"),
        shape=10,
        chunks=3,
        synchronizer=lock,
        chunk_store=str(tmp_path / "chunks"),
        cache_metadata=False,
        cache_attrs=False,
    )
    z[:] = 5
    other = pickle.loads(pickle.dumps(z))
    assert other.synchronizer == lock
    assert other.chunk_store == z.chunk_store
    assert not other.attrs.cache
    z.resize(20)
    assert other.shape == (20,)
    assert other[:10].tolist() == [5] * 10


def test_copies() -> None:
    z = numbers()
    for other in (copy.copy(z), copy.deepcopy(z)):
        assert other == z
        assert other[:].tolist() == z[:].tolist()


# --- what may be set --------------------------------------------------------------------------------------------------


def test_read_only_can_be_switched() -> None:
    z = numbers()
    z.read_only = True
    for attempt in (
        lambda: z.__setitem__(0, 1),
        lambda: z.append([1]),
        lambda: z.resize(3),
        lambda: setattr(z, "fill_value", 3),
        lambda: z.attrs.update(x=1),
        lambda: z.set_basic_selection(0, 1),
        lambda: z.set_mask_selection(np.ones(10, bool), 1),
        lambda: z.set_coordinate_selection(0, 1),
        lambda: z.set_orthogonal_selection(0, 1),
        lambda: z.set_block_selection(0, 1),
        lambda: z.vindex.__setitem__(0, 1),
    ):
        with pytest.raises(PermissionError):
            attempt()
    assert z[:].tolist() == list(range(0, 20, 2))
    z.read_only = False
    z[0] = 1
    z.attrs["x"] = 1
    assert z[0] == 1


@pytest.mark.parametrize("name", ["dtype", "chunks", "order", "size", "store", "path", "name", "attrs", "is_view"])
def test_what_cannot_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(numbers(), name, 3)


def test_fill_value_can_be_set() -> None:
    store: dict[str, bytes] = {}
    z = zarrds.zeros(10, chunks=3, dtype="i4", store=store)
    z[:4] = 1
    z.fill_value = 7
    assert z.fill_value == 7
    assert z[:].tolist() == [1, 1, 1, 1, 0, 0, 7, 7, 7, 7]
    assert zarrds.Array(store).fill_value == 7
    z.fill_value = None
    assert zarrds.Array(store).fill_value is None
    before = dict(store)
    with pytest.raises(ValueError):
        z.fill_value = "x"
    assert dict(store) == before


# --- metadata that others change -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [True, False])
def test_cache_metadata(cached: bool) -> None:
    store: dict[str, bytes] = {}
    z = zarrds.zeros(10, chunks=3, store=store, cache_metadata=cached)
    zarrds.Array(store).append(np.ones(10))
    expected = 10 if cached else 20
    assert z.shape == (expected,)
    assert len(z) == expected
    assert z.nchunks == -(-expected // 3)
    assert z.nbytes == 8 * expected
    assert z[:].sum() == expected - 10


def test_missing_chunks_may_be_errors() -> None:
    z = zarrds.zeros(10, chunks=3)
    z[:3] = 1
    strict = zarrds.Array(z.store, read_missing="raise")
    assert strict[:3].tolist() == [1.0] * 3
    with pytest.raises(KeyError):
        strict[:4]
    assert z.missing_chunks() == [(1,), (2,), (3,)]
    assert z.missing_chunks(limit=1) == [(1,)]
