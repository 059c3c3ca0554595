"""What every store promises, for every store."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import zarrds
from zarrds._base.types import ByteRange
from zarrds._store.base import Store
from zarrds._store.wrappers.consolidated import DocumentStore
from zarrds.errors import (
    NotErasableError,
    PathNotFoundError,
    ReadOnlyError,
    StoreError,
    StoreNotShareableError,
    ZarrdsError,
)
from zarrds.storage import (
    DirectoryStore,
    FSStore,
    KVStore,
    MemoryStore,
    ReadOnlyStore,
    getsize,
    listdir,
    rename,
    rmdir,
)

from .cases import CASES, named, opened, read_only_zip

ODD_KEYS = [
    "a b",
    "ü/ñ",
    "50%",
    "%2F",
    "#tag/x",
    "a+b&c=d",
    "[1]",
    "x*",
    "q?",
    "~",
    "a..b",
    ".hidden",
    "c/0.1/2",
    "tail.",
]


@pytest.fixture(params=named())
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path, request) as made:
        yield made


@pytest.fixture(params=named(erasable=True))
def erasable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path, request) as made:
        yield made


@pytest.fixture(params=named(erasable=False))
def inerasable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path, request) as made:
        yield made


def fill(store: Store) -> dict[str, bytes]:
    values = {"z": b"1", "g/a/0": b"22", "g/a/1": b"333", "g/b/0/0": b"4444", "gg/a": b"5"}
    store.setitems(dict(values))
    return values


# --- the mapping -----------------------------------------------------------------------------------------------------


def test_behaves_as_a_mapping(store: Store) -> None:
    assert len(store) == 0
    assert list(store) == []
    store["a/b"] = b"one"
    store["a/b"] = b"two"
    assert store["a/b"] == b"two"
    assert store.get("a/c") is None
    store.update({"x": b"1", "y/z": b""})
    assert dict(store) == {"a/b": b"two", "x": b"1", "y/z": b""}
    assert sorted(store.keys()) == ["a/b", "x", "y/z"]
    assert sorted(store.values()) == [b"", b"1", b"two"]
    assert store.setdefault("x", b"other") == b"1"
    assert len(store) == 3
    store.clear()
    assert list(store) == []
    store["a/b"] = b"three"
    assert dict(store.items()) == {"a/b": b"three"}


def test_values_are_taken_out(erasable: Store) -> None:
    erasable.update({"a/b": b"one", "x": b"2"})
    assert erasable.pop("a/b") == b"one"
    assert erasable.pop("a/b", None) is None
    with pytest.raises(KeyError):
        erasable.pop("a/b")
    assert erasable.popitem() == ("x", b"2")
    with pytest.raises(KeyError):
        erasable.popitem()


def test_stores_that_cannot_delete_say_so(inerasable: Store) -> None:
    values = fill(inerasable)
    assert not inerasable.is_erasable()
    for delete in (
        lambda: inerasable.pop("z"),
        lambda: inerasable.popitem(),
        lambda: inerasable.delete_many(["absent", "z"]),
        lambda: inerasable.rmdir("g"),
        lambda: inerasable.rename("g", "h"),
    ):
        with pytest.raises(NotErasableError) as caught:
            delete()
        assert isinstance(caught.value, NotImplementedError)
    assert dict(inerasable) == values
    rmdir(inerasable)
    assert dict(inerasable) == {}


@pytest.mark.parametrize("key", ["absent", "a/absent", "a/b/below", "a"])
def test_absent_is_absent(store: Store, key: str) -> None:
    store["a/b"] = b"x"
    assert key not in store
    assert store.get_many([(key, None), (key, ByteRange(0, 1))]) == [None, None]
    store.delete_many([key])
    with pytest.raises(KeyError):
        store[key]
    with pytest.raises(KeyError):
        del store[key]
    assert store["a/b"] == b"x"


@pytest.mark.parametrize("key", ["", "/etc", "../up", "a/../../up", "..", "nul\0", "a\\..\\..\\up"])
def test_keys_that_leave_the_root_are_refused(store: Store, key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key"):
        store[key] = b"x"
    with pytest.raises(ValueError):
        store.get_many([(key, None)])
    assert list(store) == []


@pytest.mark.parametrize("key", [1, None, b"a"])
def test_keys_are_str(store: Store, key: object) -> None:
    assert key not in store
    with pytest.raises(TypeError):
        store[key] = b"x"  # type: ignore[index]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_characters(store: Store, key: str) -> None:
    store["other"] = b"o"
    store[key] = b"x"
    assert store[key] == b"x"
    assert set(store) == {key, "other"}
    assert store.listdir("") == sorted([key.split("/")[0], "other"])
    if store.is_erasable():
        store.delete_many([key])
        assert set(store) == {"other"}


@pytest.mark.parametrize("name", ["a[1]", "x*", "q?"])
def test_names_are_not_patterns(erasable: Store, name: str) -> None:
    erasable.setitems({f"{name}/0": b"x", "a1/0": b"a", "xx/0": b"b", "qq/0": b"c"})
    erasable.rmdir(name)
    assert set(erasable) == {"a1/0", "xx/0", "qq/0"}


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"abc",
        bytearray(b"abc"),
        memoryview(b"xabcx")[1:4],
        np.arange(6, dtype="<u2").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype="<u2").reshape(2, 3)),
        np.arange(12, dtype=">i4")[::2],
        np.array(["2000-01-01", "2001-01-01"], dtype="M8[D]"),
        np.empty((0, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_buffers_are_accepted_and_not_kept(store: Store, value: bytes | bytearray) -> None:
    expected = value.tobytes("A") if isinstance(value, (np.ndarray, memoryview)) else bytes(value)
    store["k"] = value
    if isinstance(value, bytearray):
        value[:] = b"???"
    assert store["k"] == expected
    assert "k" in store
    assert store.getsize("k") == len(expected)


@pytest.mark.parametrize("name", named())
def test_large_values(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    value = np.random.default_rng(0).bytes(CASES[name].largest)
    with opened(name, tmp_path, request) as store:
        store["large"] = value
        assert store["large"] == value
        assert bytes(store.get_many([("large", ByteRange(-5))])[0] or b"") == value[-5:]


@pytest.mark.parametrize("size", [0, 1, 2**15 - 1, 2**15, 2**15 + 1, 2**16])
def test_mixed_sizes_in_one_batch(store: Store, size: int) -> None:
    values = {"a": b"a", "b": b"b" * size, "c": b"c" * 10, "d": b"d" * (size + 1)}
    store.setitems(dict(values))
    requests = [(key, None) for key in values]
    assert list(map(bytes, store.get_many(requests))) == list(values.values())  # type: ignore[arg-type]
    assert [bytes(value) for value in store.iter_many(requests)] == list(values.values())  # type: ignore[arg-type]


# --- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"", b"0123456789"])
@pytest.mark.parametrize(
    "byte_range",
    [(0, None), (0, 0), (2, 5), (5, 5), (8, 100), (10, 12), (100, 200), (100, None), (-3, None), (-100, None), (3, 1)],
)
def test_ranges(store: Store, value: bytes, byte_range: tuple[int, int | None]) -> None:
    store["k"] = value
    found = store.get_many([("k", ByteRange(*byte_range))])[0]
    assert found is not None
    assert bytes(found) == value[slice(*byte_range)]


def test_batches_keep_their_order(store: Store) -> None:
    store.set_many([(f"u/{number}", b"%d" % number) for number in range(20)])
    requests = [(f"u/{number}", None) for number in (7, 3, 99, 7)]
    mixed = [*requests, ("u/12", ByteRange(1, 2)), ("u/12", ByteRange(0, 1)), ("u/12", None)]
    answers = [None if value is None else bytes(value) for value in store.get_many(mixed)]
    assert answers == [b"7", b"3", None, b"7", b"2", b"1", b"12"]
    assert store.getitems(["u/3", "u/99"]) == {"u/3": b"3"}


def test_batches_of_deletions(erasable: Store) -> None:
    erasable.setitems({f"u/{number}": b"%d" % number for number in range(20)})
    erasable.delitems(["u/3", "u/99", "nothing/here"])
    assert len(erasable) == 19
    assert "u/3" not in erasable


def test_empty_batches(store: Store) -> None:
    assert store.get_many([]) == []
    store.set_many([])
    store.delete_many([])


# --- the hierarchy ---------------------------------------------------------------------------------------------------


def test_keys_below(store: Store) -> None:
    values = fill(store)
    assert set(store.keys_below("")) == set(values)
    assert set(store.keys_below("g/")) == {"g/a/0", "g/a/1", "g/b/0/0"}
    assert list(store.keys_below("nowhere/")) == []
    assert list(store.keys_below("z/")) == []


def test_listdir(store: Store) -> None:
    fill(store)
    assert store.listdir() == store.listdir("") == listdir(store, None) == ["g", "gg", "z"]
    assert store.listdir("g") == listdir(store, b"/g//") == ["a", "b"]
    assert store.listdir("g/a") == ["0", "1"]
    assert store.listdir("z") == store.listdir("nowhere") == []
    with pytest.raises(ValueError, match="segment"):
        store.listdir("../..")


def test_rmdir(erasable: Store) -> None:
    fill(erasable)
    erasable.rmdir("nowhere")
    erasable.rmdir("z")
    erasable.rmdir("g/a")
    assert set(erasable) == {"z", "g/b/0/0", "gg/a"}
    rmdir(erasable, "g")
    assert erasable.listdir() == ["gg", "z"]
    erasable["g/a/0"] = b"again"
    rmdir(erasable)
    assert erasable.listdir() == []


def test_rename(erasable: Store) -> None:
    if isinstance(erasable, DocumentStore):
        with pytest.raises(ReadOnlyError):
            erasable.rename("g", "h")
        return
    fill(erasable)
    rename(erasable, "g", "deep/h")
    assert {key: erasable[key] for key in erasable} == {
        "z": b"1", "deep/h/a/0": b"22", "deep/h/a/1": b"333", "deep/h/b/0/0": b"4444", "gg/a": b"5",
    }  # fmt: skip
    assert erasable.listdir() == ["deep", "gg", "z"]
    with pytest.raises(PathNotFoundError):
        erasable.rename("g", "x")


@pytest.mark.parametrize("new", ["g", "g/a"])
def test_nothing_is_lost_where_the_new_name_is_in_the_old_one(erasable: Store, new: str) -> None:
    fill(erasable)
    before = dict(erasable)
    with suppress(ZarrdsError):
        rename(erasable, "g", new)
    assert dict(erasable) == before


def test_values_that_are_no_bytes(store: Store) -> None:
    if isinstance(store, KVStore):
        pytest.skip("a mapping may hold other values")
    with pytest.raises((TypeError, ReadOnlyError), match=r"'k'|read"):
        store["k"] = object()  # type: ignore[assignment]
    assert "k" not in store


def test_getsize(store: Store) -> None:
    fill(store)
    assert getsize(store, "g/a") == 5
    assert getsize(store, "g") == 0
    assert getsize(store) == 1
    assert getsize(store, "z") == 1
    assert getsize(store, "nowhere") == 0


# --- arrays and groups -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", named(documents=True))
def test_arrays_and_groups(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    data = np.arange(60.0).reshape(6, 10)
    with opened(name, tmp_path, request) as store:
        root = zarrds.group(store=store)
        root.attrs["title"] = "ü"
        z = root.create_dataset("g/z", data=data, chunks=(4, 3))
        z.attrs["units"] = "m"
        z[1:3, 2:7] = data[1:3, 2:7] = -1
        raw = root.create_dataset("raw", data=data, chunks=(4, 10), compressor=None)
        again = zarrds.open_group(store, mode="r")
        np.testing.assert_array_equal(again["g/z"][:], data)
        np.testing.assert_array_equal(again["raw"][4:5], raw[4:5])
        assert (dict(again.attrs), dict(again["g/z"].attrs)) == ({"title": "ü"}, {"units": "m"})
        assert (list(again), list(again["g"])) == (["g", "raw"], ["z"])
        z.append(data)
        assert z.shape == (12, 10)
        np.testing.assert_array_equal(z.oindex[[0, 11], [9, 0]], np.stack([data[0, [9, 0]], data[5, [9, 0]]]))


@pytest.mark.parametrize("name", named(documents=True, erasable=True))
def test_arrays_and_groups_are_moved_and_deleted(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with opened(name, tmp_path, request) as store:
        root = zarrds.group(store=store)
        root.create_dataset("g/z", data=np.arange(10), chunks=2)
        root["g/z"].resize(3)
        assert root["g/z"].nchunks_initialized == 2
        root.move("g/z", "moved/z")
        assert list(root["moved/z"][:]) == [0, 1, 2]
        del root["g"]
        root.create_dataset("moved/z", data=np.arange(3), chunks=2, overwrite=True)
        assert sorted(root) == ["moved"]
        root = zarrds.group(store=store, overwrite=True)
        assert sorted(store) == [".zgroup"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", named())
def test_many_keys(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count = CASES[name].many
    with opened(name, tmp_path, request) as store:
        for start in range(0, count, 5000):
            batch = range(start, min(start + 5000, count))
            store.set_many([(f"g{n % 7}/z/{n}", b"%d" % n) for n in batch])
        assert len(store) == count
        assert store.listdir() == [f"g{n}" for n in range(7)]
        assert len(store.listdir("g3/z")) == len(range(3, count, 7))
        wanted = list(range(0, count, count // 50))
        answers = store.get_many([(f"g{n % 7}/z/{n}", None) for n in wanted])
        assert [None if answer is None else bytes(answer) for answer in answers] == [b"%d" % n for n in wanted]
        store.clear()
        assert list(store) == []


# --- reading only ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "of",
    [
        lambda path: ReadOnlyStore(DirectoryStore(path)),
        read_only_zip,
        lambda path: FSStore(f"file://{path}", mode="r"),
        lambda path: FSStore(f"memory:/{path}", mode="r"),
    ],
    ids=["wrapper", "zip", "fs-local", "fs-memory"],
)
def test_read_only_stores_refuse_writes(of: Callable[[Path], Store], tmp_path: Path) -> None:
    store = of(tmp_path)
    assert not store.is_writeable()
    for write in (
        lambda: store.set_many([("k", b"")]),
        lambda: store.delete_many(["k"]),
        lambda: store.rmdir("k"),
        lambda: store.rename("k", "l"),
        lambda: store.clear(),
    ):
        with pytest.raises(ReadOnlyError):
            write()
    assert not store.spec().build().is_writeable() if store.profile.shareable else True


def test_zip_archives_are_read_by_url(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("g/0", b"0123")
    with FSStore(f"zip::file://{tmp_path}/a.zip", mode="r") as store:
        assert store.getitems(["g/0", "g/1"]) == {"g/0": b"0123"}
        assert store.get_many([("g/0", ByteRange(-2))]) == [b"23"]
        assert (store.listdir(), store.listdir("g"), list(store)) == (["g"], ["0"], ["g/0"])
        assert pickle.loads(pickle.dumps(store.spec())).open()["g/0"] == b"0123"


def test_absent_names_of_zip_archives_are_absent_in_each_version_of_fsspec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_entry(self: object, path: str, *args: object, **options: object) -> None:
        raise KeyError(f"There is no item named {path!r} in the archive")  # as before 2026.9

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("g/0", b"0123")
    with FSStore(f"zip::file://{tmp_path}/a.zip", mode="r") as store:
        monkeypatch.setattr("fsspec.implementations.zip.ZipFileSystem._open", open_entry)
        assert store.getitems(["g/1"]) == {}
        with pytest.raises(StoreError):  # the entry is there, so that this is a failure
            store["g/0"]


def test_memory_stores_say_that_they_cannot_travel() -> None:
    store = MemoryStore()
    kind, token, _ = store.spec().__reduce__()[1]
    foreign = store.spec().__reduce__()[0](kind, token, -1)
    with pytest.raises(StoreNotShareableError, match="MemoryStore") as caught:
        foreign.open()
    assert isinstance(caught.value, StoreError)
    assert "DirectoryStore" in (caught.value.hint or "")
