"""What every store promises, for every store."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from zarrds._store.base import Store
from zarrds._types import ByteRange
from zarrds.errors import PathNotFoundError, ReadOnlyError, StoreError, StoreNotShareableError
from zarrds.storage import (
    ConsolidatedMetadataStore,
    DirectoryStore,
    FSStore,
    KVStore,
    MemoryStore,
    NestedDirectoryStore,
    ReadOnlyStore,
    TempStore,
    getsize,
    listdir,
    rename,
    rmdir,
)

from .doubles import CountingStore, FaultyStore


class PlainFileSystem(LocalFileSystem):
    """Stands for a file system with directories that our own directory store cannot serve (sftp, hdfs)."""

    protocol = "plain"


def consolidated(path: Path) -> Store:
    store = MemoryStore()
    store[".zmetadata"] = b'{"zarr_consolidated_format": 1, "metadata": {}}'
    opened = ConsolidatedMetadataStore(store)
    del store[".zmetadata"]
    return opened


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda path: MemoryStore(),
    "kv": lambda path: KVStore({}),
    "directory": lambda path: DirectoryStore(path / "new" / "store"),
    "nested": lambda path: NestedDirectoryStore(path / "new"),
    "temp": lambda path: TempStore(dir=path),
    "fs-local": lambda path: FSStore(f"file://{path}/new/store"),
    "fs-memory": lambda path: FSStore(f"memory:/{path}/store"),
    "fs-given": lambda path: FSStore("store", fs=DirFileSystem(str(path), fsspec.filesystem("file"))),
    "fs-plain": lambda path: FSStore(f"{path}/store", fs=PlainFileSystem()),
    "fs-missing": lambda path: FSStore(f"file://{path}/new", missing_exceptions=(ZeroDivisionError,)),
    "consolidated": consolidated,
    "counting": lambda path: CountingStore(MemoryStore()),
    "faulty": lambda path: FaultyStore(MemoryStore(), OSError("never"), nth=10**9),
}

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


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with STORES[request.param](tmp_path) as made:
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
    assert store.pop("a/b") == b"two"
    store.update({"x": b"1", "y/z": b""})
    assert dict(store) == {"x": b"1", "y/z": b""}
    assert sorted(store.keys()) == ["x", "y/z"]
    assert len(store) == 2
    store.clear()
    assert list(store) == []


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
    store.delete_many([key])
    assert set(store) == {"other"}


@pytest.mark.parametrize("name", ["a[1]", "x*", "q?"])
def test_names_are_not_patterns(store: Store, name: str) -> None:
    store.setitems({f"{name}/0": b"x", "a1/0": b"a", "xx/0": b"b", "qq/0": b"c"})
    store.rmdir(name)
    assert set(store) == {"a1/0", "xx/0", "qq/0"}


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


def test_large_values(store: Store) -> None:
    value = np.random.default_rng(0).bytes(20 * 2**20)
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
    store.delitems(["u/3", "u/99", "nothing/here"])
    assert len(store) == 19


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


def test_rmdir(store: Store) -> None:
    fill(store)
    store.rmdir("nowhere")
    store.rmdir("z")
    store.rmdir("g/a")
    assert set(store) == {"z", "g/b/0/0", "gg/a"}
    rmdir(store, "g")
    assert store.listdir() == ["gg", "z"]
    store["g/a/0"] = b"again"
    rmdir(store)
    assert store.listdir() == []


def test_rename(store: Store, request: pytest.FixtureRequest) -> None:
    if isinstance(store, ConsolidatedMetadataStore):
        with pytest.raises(ReadOnlyError):
            store.rename("g", "h")
        return
    fill(store)
    rename(store, "g", "deep/h")
    assert {key: store[key] for key in store} == {
        "z": b"1", "deep/h/a/0": b"22", "deep/h/a/1": b"333", "deep/h/b/0/0": b"4444", "gg/a": b"5",
    }  # fmt: skip
    assert store.listdir() == ["deep", "gg", "z"]
    with pytest.raises(PathNotFoundError):
        store.rename("g", "x")


def test_getsize(store: Store) -> None:
    fill(store)
    assert getsize(store, "g/a") == 5
    assert getsize(store, "g") == 0
    assert getsize(store) == 1
    assert getsize(store, "z") == 1
    assert getsize(store, "nowhere") == 0


# --- sharing ---------------------------------------------------------------------------------------------------------


def test_spec_opens_the_same_place(store: Store) -> None:
    store["k"] = b"value"
    spec = store.spec()
    assert hash(spec) == hash(store.spec())
    assert spec == store.spec()
    assert spec.open()["k"] == b"value" if not isinstance(store, ConsolidatedMetadataStore) else True
    assert len(pickle.dumps(spec)) < 1000


CHILD = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).open()['k'].decode())"


@pytest.mark.parametrize("name", STORES)
def test_shareable_stores_reopen_in_another_process(name: str, tmp_path: Path) -> None:
    store = STORES[name](tmp_path)
    store["k"] = b"value"
    child = subprocess.run([sys.executable, "-c", CHILD], input=pickle.dumps(store.spec()), capture_output=True)
    if store.profile.shareable:
        assert child.stdout.strip() == b"value", child.stderr.decode()
    else:
        assert b"StoreNotShareableError" in child.stderr


@pytest.mark.parametrize("name", [name for name in STORES if name not in ("counting", "faulty", "consolidated")])
def test_stores_pickle(name: str, tmp_path: Path) -> None:
    store = STORES[name](tmp_path)
    store["a/k"] = b"value"
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert copy["a/k"] == b"value"
    assert copy.profile == store.profile


def test_threads_write_and_read(store: Store) -> None:
    if isinstance(store, FSStore) and isinstance(store.fs, PlainFileSystem):
        pytest.skip("such file systems write in place")
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(20):
                key = f"t{number}/{step}"
                store.set_many([(key, b"x" * step), ("shared", b"y" * 1000)])
                assert store.get_many([(key, None), ("shared", None)]) == [b"x" * step, b"y" * 1000]
                store.listdir(f"t{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store) == 81


# --- reading only ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda path: ReadOnlyStore(DirectoryStore(path)),
        lambda path: FSStore(f"file://{path}", mode="r"),
        lambda path: FSStore(f"memory:/{path}", mode="r"),
    ],
    ids=["wrapper", "fs-local", "fs-memory"],
)
def test_read_only_stores_refuse_writes(make: Callable[[Path], Store], tmp_path: Path) -> None:
    store = make(tmp_path)
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


def test_memory_stores_say_that_they_cannot_travel() -> None:
    store = MemoryStore()
    kind, token, _ = store.spec().__reduce__()[1]
    foreign = store.spec().__reduce__()[0](kind, token, -1)
    with pytest.raises(StoreNotShareableError, match="MemoryStore") as caught:
        foreign.open()
    assert isinstance(caught.value, StoreError)
    assert "DirectoryStore" in (caught.value.hint or "")
