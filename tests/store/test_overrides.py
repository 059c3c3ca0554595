"""Subclasses of stores: what they override of the mapping is used, whichever way the values go."""

from __future__ import annotations

import dbm.dumb
import itertools
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import NotListableError, StoreError, StoreNotShareableError
from zarrds.storage import (
    DBMStore,
    DirectoryStore,
    FSStore,
    KVStore,
    LRUStoreCache,
    MemoryStore,
    NestedDirectoryStore,
    ReadOnlyStore,
    SQLiteStore,
    Store,
    WrapperStore,
)

from .secret import FiveMethods, SecretStore, SecretWrapper, flipped


class Encrypts:
    """Encrypts; to be put before any store."""

    def __getitem__(self, key: str) -> bytes:
        return flipped(super().__getitem__(key))  # type: ignore[misc]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, flipped(value))  # type: ignore[misc]


def secret(base: type[Store]) -> type[Any]:
    return type(f"Secret{base.__name__}", (Encrypts, base), {})


def seen_below(store: Store, base: type[Store]) -> dict[str, bytes]:
    """Return the values of a store as its base class sees them."""
    below = object.__new__(base)
    below.__dict__ = store.__dict__
    return {key: bytes(below[key]) for key in below}


STORES: dict[str, tuple[type[Store], Callable[[Path], tuple[Any, ...]]]] = {
    "directory": (DirectoryStore, lambda path: (path / "s",)),
    "nested": (NestedDirectoryStore, lambda path: (path / "s",)),
    "fs": (FSStore, lambda path: (f"file://{path}/s",)),
    "fs-memory": (FSStore, lambda path: (f"memory:/{path}/s",)),
    "sqlite": (SQLiteStore, lambda path: (path / "s",)),
    "kv": (KVStore, lambda path: ({},)),
    "memory": (MemoryStore, lambda path: ()),
    "dbm": (DBMStore, lambda path: (path / "s", "c", 0o666, dbm.dumb.open)),
    "cache": (LRUStoreCache, lambda path: (MemoryStore(), None)),
    "wrapper": (WrapperStore, lambda path: (MemoryStore(),)),
}


@pytest.fixture(params=STORES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, type[Store]]]:
    base, arguments = STORES[request.param]
    with secret(base)(*arguments(tmp_path)) as store:
        yield store, base


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_nothing_is_stored_plain(made: tuple[Store, type[Store]], zarr_format: int) -> None:
    store, base = made
    z = zarrds.create(40, chunks=10, dtype="u1", compressor=None, store=store, overwrite=True, zarr_format=zarr_format)
    z[:] = np.arange(40)
    z.attrs["title"] = "a title"
    z.append(np.full(5, 7, dtype="u1"))
    again = zarrds.open_array(store, mode="r")
    assert again[:].tolist() == [*range(40), *[7] * 5]
    assert again[3] == 3
    assert again.attrs["title"] == "a title"
    values = seen_below(store, base)
    assert len(values) >= 6
    for value in values.values():
        assert value[:1] != b"{"
        assert bytes(range(10)) not in value
        assert b"a title" not in value


def test_copies_and_consolidated_metadata_go_through_overrides(made: tuple[Store, type[Store]]) -> None:
    store, base = made
    root = zarrds.group(store)
    root.create_dataset("a", data=np.arange(8, dtype="u1"), chunks=4, compressor=None)
    root["b"] = np.arange(3)
    zarrds.copy_store(store, other := KVStore({}))
    assert zarrds.open_group(other, mode="r")["a"][:].tolist() == [*range(8)]
    zarrds.consolidate_metadata(store)
    assert zarrds.open_consolidated(store)["b"][:].tolist() == [0, 1, 2]
    assert not any(value.startswith(b"{") for value in seen_below(store, base).values())


def test_shards_are_read_in_parts(made: tuple[Store, type[Store]]) -> None:
    store, _ = made
    z = zarrds.create((8, 8), chunks=(2, 2), shards=(8, 8), store=store, zarr_format=3, overwrite=True)
    z[:] = np.arange(64).reshape(8, 8)
    assert zarrds.open(store, mode="r")[3, 2:5].tolist() == [26, 27, 28]
    z[3, 3] = -1
    assert zarrds.open(store, mode="r")[3, 2:5].tolist() == [26, -1, 28]


# --- each method ------------------------------------------------------------------------------------------------------


class Counts(MemoryStore):
    """Counts the calls of each method, with its first argument."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[str, str]] = Counter()


def counting(*names: str, base: type[Store] = Counts) -> type[Any]:
    def method(name: str) -> Callable[..., Any]:
        def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            shown = args[0] if args else ""
            for key in [shown] if isinstance(shown, str) else list(shown):
                self.calls[name, key] += 1
            return getattr(super(cls, self), name)(*args, **kwargs)

        return counted

    cls = type("Counting", (base,), {name: method(name) for name in names})
    return cls


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("__getitem__", lambda store: store.get_many([("k", None)])),
        ("__getitem__", lambda store: list(store.iter_many([("k", None)]))),
        ("__getitem__", lambda store: store.getitems(["k"])),
        ("__getitem__", lambda store: store.reader().get_many([("k", None)])),
        ("getitems", lambda store: store.get_many([("k", None)])),
        ("__setitem__", lambda store: store.set_many([("k", b"2")])),
        ("__setitem__", lambda store: store.set_if("k", b"2", b"1")),
        ("__setitem__", lambda store: store.update({"k": b"2"})),
        ("setitems", lambda store: store.set_many([("k", b"2")])),
        ("__delitem__", lambda store: store.delete_many(["k"])),
        ("delitems", lambda store: store.delete_many(["k"])),
        ("__iter__", lambda store: list(store.keys_below(""))),
    ],
)
def test_batches_go_through_what_is_overridden(name: str, use: Callable[[Any], Any]) -> None:
    store = counting(name)()
    MemoryStore.set_many(store, [("k", b"1")])
    use(store)
    assert store.calls == ({("__iter__", ""): 1} if name == "__iter__" else {(name, "k"): 1})


def test_a_subclass_of_a_subclass_overrides_too() -> None:
    store = counting("__getitem__", base=counting("__getitem__"))()
    store["k"] = b"1"
    assert store.get_many([("k", None)]) == [b"1"]
    assert store.calls == {("__getitem__", "k"): 2}


def test_batches_of_both_kinds() -> None:
    """Several values are asked for with `getitems`, one alone with ``__getitem__``, as documents in Zarr-Python 2."""
    store = counting("__getitem__", "getitems")()
    store.update({"a": b"1", "b": b"2"})
    assert store.get_many([("a", None), ("b", None), ("c", None)]) == [b"1", b"2", None]
    seen = {("getitems", "a"): 1, ("getitems", "b"): 1, ("getitems", "c"): 1}
    seen |= {("__getitem__", "a"): 1, ("__getitem__", "b"): 1, ("__getitem__", "c"): 1}
    assert store.calls == seen
    assert store.get_many([("a", None)]) == [b"1"]
    assert store.calls == {**seen, ("__getitem__", "a"): 2}


def test_contexts_are_passed_to_those_who_take_them() -> None:
    class Taking(MemoryStore):
        def getitems(self, keys: Any, *, contexts: Any) -> Any:
            assert contexts == {}
            return super().getitems(keys)

    class Older(MemoryStore):
        def getitems(self, keys: Any) -> Any:  # type: ignore[override]
            return super().getitems(keys)

    for cls in (Taking, Older):
        store = cls()
        store["k"] = b"1"
        assert store.get_many([("k", None)]) == [b"1"]


def test_batch_methods_that_are_overridden_are_used_for_each_other() -> None:
    class Upper(DirectoryStore):
        def get_many(self, requests: Any) -> Any:
            return [None if value is None else value.upper() for value in super().get_many(requests)]  # type: ignore[union-attr]

    class Lower(DirectoryStore):
        def iter_many(self, requests: Any) -> Any:
            return (None if value is None else value.lower() for value in super().iter_many(requests))  # type: ignore[union-attr]

    def use(store: Store) -> tuple[Any, ...]:
        store["k"] = b"aB"
        return store["k"], store.get_many([("k", None)]), list(store.iter_many([("k", None)]))

    import tempfile

    with tempfile.TemporaryDirectory() as path:
        assert use(Upper(path)) == (b"AB", [b"AB"], [b"AB"])
        assert use(Lower(path)) == (b"ab", [b"ab"], [b"ab"])


def adding(base: Any, name: str, end: bytes) -> Any:
    """Return a subclass whose method `name` for batches adds `end` to what that of its base class returns."""

    def method(self: Any, requests: Any) -> Any:
        return [None if value is None else bytes(value) + end for value in getattr(super(cls, self), name)(requests)]

    def iterated(self: Any, requests: Any) -> Any:
        return iter(method(self, requests))

    cls = type("Adding", (base,), {name: iterated if name == "iter_many" else method})
    return cls


@pytest.mark.parametrize("base", [MemoryStore, DirectoryStore, FSStore, SQLiteStore, ReadOnlyStore])
def test_batch_methods_that_are_overridden_at_several_levels(base: Any, tmp_path: Path) -> None:
    one = adding(base, "iter_many", b"1")
    two, mixed = adding(one, "iter_many", b"2"), adding(one, "get_many", b"3")
    for cls, expected in ((one, b"v1"), (two, b"v12"), (mixed, b"v13")):
        given = {MemoryStore: {"k": b"v"}, ReadOnlyStore: MemoryStore({"k": b"v"}), SQLiteStore: ":memory:"}
        with cls(given.get(base, str(tmp_path))) as store:
            if base not in (MemoryStore, ReadOnlyStore):
                store["k"] = b"v"
            requests = [("k", None), ("absent", None)]
            assert store["k"] == expected
            assert store.get_many(requests) == list(store.iter_many(requests)) == [expected, None]
            with zarrds.trace() as traced:
                store.get_many(requests)
            assert traced.requests == {"get": 2}


def ending(base: Any, kind: str, end: bytes) -> Any:
    """Return a subclass that adds `end` to values, in one method."""

    def getitem(self: Any, key: str) -> bytes:
        return bytes(super(cls, self).__getitem__(key)) + end

    def getitems(self: Any, keys: Any, *, contexts: Any = None) -> dict[str, bytes]:
        return {key: bytes(value) + end for key, value in super(cls, self).getitems(keys, contexts=contexts).items()}

    methods = {"__getitem__": getitem, "getitems": getitems}
    if kind not in methods:
        return adding(base, kind, end)
    cls = type("Ending", (base,), {kind: methods[kind]})
    return cls


KINDS = ["__getitem__", "getitems", "get_many", "iter_many"]


@pytest.mark.parametrize("base", [MemoryStore, DirectoryStore, FSStore, SQLiteStore])
def test_three_levels_of_overriding_come_to_an_end(base: Any, tmp_path: Path) -> None:
    """What several levels override alike is all used; a mixture of methods is used in part, but never without end."""
    for kinds in itertools.product(KINDS, repeat=3):
        cls = base
        for number, kind in enumerate(kinds):
            cls = ending(cls, kind, b"%d" % number)
        with cls({"k": b"v"} if base is MemoryStore else str(tmp_path / "".join(kinds))) as store:
            if base is not MemoryStore:
                store["k"] = b"v"
            found = [store.get_many([("k", None)])[0], *store.iter_many([("k", None)])]
            assert store["k"][:1] == store.getitems(["k"])["k"][:1] == b"v"
        assert all(bytes(value)[:1] == b"v" for value in found)
        if len(set(kinds)) == 1:
            assert found == [b"v012"] * 2


@pytest.mark.parametrize("base", [DirectoryStore, FSStore, SQLiteStore])
@pytest.mark.parametrize("options", [{"chunks": (1, 2**15)}, {"chunks": (1, 2**10), "shards": (2, 2**15)}], ids=str)
def test_overridden_batches_are_used_for_parts_and_large_values(base: Any, options: Any, tmp_path: Path) -> None:
    asked: Counter[str] = Counter()

    class Flips(base):  # type: ignore[misc]
        def get_many(self, requests: Any) -> Any:
            asked.update(key for key, _ in requests)
            return [None if value is None else flipped(bytes(value)) for value in super().get_many(requests)]

        def set_many(self, items: Any) -> None:
            super().set_many([(key, flipped(bytes(memoryview(value)))) for key, value in items])

    data = np.arange(4 * 2**15, dtype="i4").reshape(4, 2**15)
    store = Flips(str(tmp_path / "z"))
    z = zarrds.create(data.shape, dtype="i4", compressor=None, store=store, zarr_format=3, **options)
    z[:] = data
    for part in (2, slice(0, 2), (1, slice(None, None, 2000)), (slice(1, 3), slice(5000, 5002))):
        asked.clear()
        np.testing.assert_array_equal(z[part], data[part])
        # not read again and again, as if others changed it meanwhile: an index, a chunk, perhaps the whole value
        assert max(asked.values()) <= 3, asked
    store.close()


def test_a_store_that_changes_values_does_not_compare_those_below() -> None:
    store = secret(SQLiteStore)(":memory:")
    assert not store.can_set_if
    with pytest.raises(StoreError, match="one step"):
        store.set_if("k", b"1", None)
    assert secret(MemoryStore)().set_if("k", b"1", None)


def test_our_own_classes_pay_nothing() -> None:
    """Only classes outside of zarrds that override something get methods put into them."""

    def below(cls: type) -> Iterator[type]:
        for found in cls.__subclasses__():
            yield found
            yield from below(found)

    def put(cls: type) -> list[str]:
        return [name for name, value in vars(cls).items() if hasattr(value, "follows_overrides") or name in own]

    own = {name for name in vars(Store) if name.endswith(("_own", "_own_batch"))}

    ours = [cls for cls in below(Store) if cls.__module__.partition(".")[0] == "zarrds"]
    assert len(ours) > 20
    assert [cls for cls in ours if put(cls)] == []
    assert not put(type("Other", (MemoryStore,), {"more": 1}))


# --- five methods make a store ----------------------------------------------------------------------------------------


def test_five_methods_are_a_store() -> None:
    store = FiveMethods()
    root = zarrds.group(store)
    root.create_dataset("g/a", data=np.arange(10), chunks=4)
    root.attrs["x"] = 1
    assert sorted(root["g"]) == ["a"]
    assert zarrds.open(store, mode="r")["g/a"][2:5].tolist() == [2, 3, 4]
    assert store.listdir("g") == [".zgroup", "a"]
    assert store.getsize("g/a") > 0
    root.move("g", "h")
    del root["h/a"]
    assert "h/a/0" not in store
    store.rmdir("h")
    assert sorted(store) == [".zattrs", ".zgroup"]
    assert store.place("x").is_same(store.place("x"))
    assert store == store
    assert store != FiveMethods()


def test_methods_of_the_base_class_can_be_called() -> None:
    class Own(FiveMethods):
        def listdir(self, path: str | None = None) -> list[str]:
            return [f"<{name}>" for name in super().listdir(path)]

        def rmdir(self, path: str | None = None) -> None:
            super().rmdir(path)

        def rename(self, src_path: str, dst_path: str) -> None:
            super().rename(src_path, dst_path)

        def getsize(self, path: str | None = None) -> int:
            return super().getsize(path) + 1

        def __contains__(self, key: object) -> bool:
            return super().__contains__(key)

        def getitems(self, keys: Any, *, contexts: Any = None) -> Any:
            return super().getitems(keys)

    store = Own()
    store.update({"a/b": b"1", "c": b"22"})
    assert store.listdir() == ["<a>", "<c>"]
    assert (store.getsize("c"), "c" in store, "d" in store) == (3, True, False)
    assert store.get_many([("c", None), ("d", None)]) == [b"22", None]
    store.rename("a", "x")
    store.rmdir("x")
    assert list(store) == ["c"]


def test_what_is_missing_is_named() -> None:
    class Half(Store):
        def __getitem__(self, key: str) -> bytes:
            raise KeyError(key)

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]


def test_errors_inside_are_no_absent_keys() -> None:
    class Broken(FiveMethods):
        def __getitem__(self, key: str) -> bytes:
            return {}["reply"]  # type: ignore[no-any-return]

        def __delitem__(self, key: str) -> None:
            del {}["reply"]  # type: ignore[attr-defined]

    store = Broken()
    assert store.get_many([("absent", None)]) == [None]
    store.data["k"] = b"1"
    with pytest.raises(StoreError, match="cannot read"):
        store.get_many([("k", None)])
    with pytest.raises(StoreError, match="cannot delete"):
        store.delete_many(["k"])
    with pytest.raises(StoreError, match="bytes-like"):
        counting_values(FiveMethods()).get_many([("k", None)])


def counting_values(store: FiveMethods) -> FiveMethods:
    store.data["k"] = 5  # type: ignore[assignment]
    return store


def test_a_store_that_cannot_list_says_so() -> None:
    class Unlisted(FiveMethods):
        def __iter__(self) -> Iterator[str]:
            raise NotImplementedError

    with pytest.raises(NotListableError):
        Unlisted().listdir()


# --- other processes --------------------------------------------------------------------------------------------------

CHILD = """
import pickle, sys
import zarrds
opened = pickle.loads(sys.stdin.buffer.read())
store = opened.open() if hasattr(opened, "opener") else opened
z = zarrds.open_array(store, mode="r+")
assert z[:3].tolist() == [0, 1, 2], z[:]
z[3:] = 9
"""


@pytest.mark.parametrize("send", ["store", "spec"])
@pytest.mark.parametrize("kind", ["subclass", "wrapper"])
def test_overrides_hold_in_other_processes(tmp_path: Path, send: str, kind: str) -> None:
    plain = DirectoryStore(tmp_path / "s")
    store: Store = SecretStore(plain.path, 170) if kind == "subclass" else SecretWrapper(plain, 170)
    zarrds.create(6, chunks=3, dtype="u1", compressor=None, store=store)[:] = np.arange(6)
    sent = pickle.dumps(store if send == "store" else store.spec())
    assert len(sent) < 1000
    child = subprocess.run([sys.executable, "-c", CHILD], input=sent, capture_output=True)
    assert child.returncode == 0, child.stderr.decode()
    assert plain["1"] == flipped(b"\x09" * 3, 170)
    assert zarrds.open(store, mode="r")[:].tolist() == [0, 1, 2, 9, 9, 9]
    assert store.spec() == store.spec()
    assert hash(store.spec()) == hash(store.spec())


def test_five_methods_stay_in_their_process_unless_they_say_so() -> None:
    store = FiveMethods()
    z = zarrds.array([1, 2], store=store)
    assert store.spec().open() is store
    copy = pickle.loads(pickle.dumps(z))
    assert copy[:].tolist() == [1, 2]
    code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read()).open()"
    child = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(store.spec()), capture_output=True)
    assert StoreNotShareableError.__name__ in child.stderr.decode()


def test_what_cannot_be_pickled_stays_in_its_process(tmp_path: Path) -> None:
    store = secret(DirectoryStore)(tmp_path)
    store.reply = (value for value in [[]])
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(store.spec())
    local = SecretStore(str(tmp_path), 1)
    assert pickle.loads(pickle.dumps(local)).secret == {"key": 1}
