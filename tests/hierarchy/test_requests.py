"""What hierarchies ask of a store: budgets, the order of writes, and what a reader sees when a writer dies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.hierarchy import Group

from ..store.doubles import CountingStore, Counts, FaultyStore, WrappedStore
from .places import files

N = 50


@pytest.fixture
def store() -> CountingStore:
    made = CountingStore(zarrds.MemoryStore())
    root = zarrds.group(made)
    for number in range(N):
        root.create_dataset(f"a{number:02d}", data=np.arange(10), chunks=2)
    made.reset()
    return made


def lookups(counts: Counts) -> dict[str, int]:
    return dict(counts.calls)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_opening_is_one_batch(store: CountingStore) -> None:
    zarrds.open_group(store, mode="r")
    assert lookups(store.reset()) == {"get": 1}
    zarrds.open(store, mode="r")
    assert lookups(store.reset()) == {"get": 2}  # it may be an array, of which one batch of two keys tells
    zarrds.group(store)
    assert lookups(store.reset()) == {"get": 1}


MEMBERS: dict[str, Callable[[Group], Any]] = {
    "items": lambda g: list(g.items()),
    "values": lambda g: list(g.values()),
    "arrays": lambda g: list(g.arrays()),
    "arrays, recursive": lambda g: list(g.arrays(recurse=True)),
    "groups": lambda g: list(g.groups()),
    "keys": list,
    "len": len,
    "array_keys": lambda g: list(g.array_keys()),
    "group_keys": lambda g: list(g.group_keys()),
    "visit": lambda g: g.visit(lambda name: None),
    "visitvalues": lambda g: g.visitvalues(lambda node: node.shape and None),
    "tree": lambda g: repr(g.tree()),
    "html": lambda g: g.tree()._repr_html_(),
    "info": lambda g: repr(g.info),
    "completions": lambda g: g._ipython_key_completions_(),
    "dir": dir,
}


@pytest.mark.parametrize("name", MEMBERS)
def test_all_members_are_one_listing_and_one_batch(store: CountingStore, name: str) -> None:
    g = zarrds.open_group(store, mode="r")
    store.reset()
    MEMBERS[name](g)
    counts = store.reset()
    assert lookups(counts) == {"listdir": 1, "get": 1}
    assert counts.keys["get"] <= 3 * N


def test_lengths_are_never_those_of_an_old_listing() -> None:
    g = zarrds.group()
    g.create_group("a")
    started = iter(g)
    assert list(zip([], g, strict=False)) == []
    g.create_group("b")
    assert len(g) == len(g.items()) == 2
    assert next(started) == "a"
    for names in (g, g.keys(), g.items(), g.values()):
        iterator = iter(names)
        next(iterator)
        g.create_group(f"c{len(g)}")
        assert len(names) == len(list(names))


def test_one_member_is_one_batch(store: CountingStore) -> None:
    g = zarrds.open_group(store, mode="r")
    store.reset()
    assert "a00" in g
    assert lookups(store.reset()) == {"get": 1}
    a = g["a00"]
    assert lookups(store.reset()) == {"get": 1}
    assert (a.shape, a.chunks, a.dtype.kind, a.name, repr(a)) == (
        (10,), (2,), "i", "/a00", "<zarrds.core.Array '/a00' (10,) int64 read-only>",
    )  # fmt: skip
    assert lookups(store.reset()) == {}
    assert dict(a.attrs) == {}
    assert dict(a.attrs) == {}
    assert lookups(store.reset()) == {"get": 1}


def test_a_deep_visit_asks_once_per_group() -> None:
    store = CountingStore(zarrds.MemoryStore())
    root = zarrds.group(store)
    root.create_groups("a/b", "c")
    root.zeros("a/x", shape=3)
    store.reset()
    root.visit(lambda name: None)
    assert lookups(store.reset()) == {"listdir": 4, "get": 2}  # b and c are empty


# --- writing ----------------------------------------------------------------------------------------------------------


def test_n_arrays_are_n_documents_and_no_deletes() -> None:
    store = CountingStore(zarrds.MemoryStore())
    root = zarrds.group(store)
    assert store.reset().keys["set"] == 1
    for number in range(N):
        root.zeros(f"a{number}", shape=10)
    counts = store.reset()
    assert counts.keys["set"] == N
    assert counts.calls == {"get": 2 * N, "set": N}  # before and after: for nodes of the other kind
    assert len(root.create_groups(*(f"g{number}" for number in range(N)))) == N
    assert store.reset().calls == {"get": 2 * N, "set": N}


def test_an_array_and_the_groups_above_it_are_read_in_one_batch_and_set_one_by_one() -> None:
    """Each is set only if another has not made it meanwhile, parents first."""
    store = CountingStore(zarrds.MemoryStore())
    zarrds.create(10, store=store, path="a/b/c")
    counts = store.reset()
    assert counts.calls == {"get": 2, "set": 4}
    keys = [keys for verb, keys in counts.log if verb == "set"]
    assert keys == [(".zgroup",), ("a/.zgroup",), ("a/b/.zgroup",), ("a/b/c/.zarray",)]


def test_overwriting_nothing_deletes_nothing(tmp_path: Path) -> None:
    store = CountingStore(zarrds.DirectoryStore(tmp_path / "x.zarr"))
    zarrds.open_group(store, mode="w")
    calls = store.reset().calls
    assert calls["set"] == 1
    assert not calls["delete"]
    assert not calls["rmdir"]


def test_moving_is_one_rename(store: CountingStore) -> None:
    root = zarrds.group(store)
    store.reset()
    root.move("a00", "b")
    counts = store.reset()
    assert counts.calls["rename"] == 1
    assert counts.keys["get"] < 12
    assert counts.keys["set"] == 0


# --- writers that die -------------------------------------------------------------------------------------------------


class Dying(WrappedStore):
    """Takes `left` more keys one by one, then fails for ever, as the store of a process that was killed."""

    def __init__(self, store: Any, left: int) -> None:
        super().__init__(store)
        self.left = left

    def set_many(self, items: Any) -> None:
        for item in items:
            self._spend()
            self.store.set_many([item])

    def delete_many(self, keys: Any) -> None:
        for key in keys:
            self._spend()
            self.store.delete_many([key])

    def rmdir(self, path: str | None = None) -> None:
        self._spend()
        self.store.rmdir(path)

    def _spend(self) -> None:
        if self.left == 0:
            raise OSError("killed")
        self.left -= 1


WRITERS: dict[str, Callable[[Any], Any]] = {
    "array": lambda s: zarrds.create(10, store=s, path="x/y/z"),
    "group": lambda s: zarrds.group(s, path="x/y/z"),
    "filled": lambda s: zarrds.group(s).create_dataset("x/y/z", data=np.arange(10), chunks=2),
    "with attributes": lambda s: zarrds.group(s).create_dataset("x/y/z", shape=3).attrs.put({"a": 1}),
    "several": lambda s: zarrds.save_group(s, a=np.arange(3), b=np.arange(3)),
    "consolidated": lambda s: zarrds.consolidate_metadata(zarrds.open_group(s, mode="w").create_group("x/y").store),
}


def everything_found_is_whole(store: Any) -> None:
    """Every document in the store parses, and the groups above it are there."""
    keys = set(store.keys_below())
    for key in keys:
        parent, _, name = key.rpartition("/")
        if name in (".zarray", ".zgroup"):
            assert zarrds.open(store, mode="r", path=parent) is not None
            while parent:
                parent = parent.rpartition("/")[0]
                assert f"{parent}/.zgroup".lstrip("/") in keys


@pytest.mark.parametrize("kind", ["memory", "directory"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_reader_never_meets_half_a_node(tmp_path: Path, name: str, kind: str) -> None:
    done = False
    for left in range(40):
        backend = zarrds.MemoryStore() if kind == "memory" else zarrds.DirectoryStore(tmp_path / str(left))
        try:
            WRITERS[name](Dying(backend, left))
            done = True
        except OSError:
            pass
        everything_found_is_whole(backend)
        if left and name != "consolidated" and ".zgroup" in backend:
            zarrds.open_group(backend, mode="r").visititems(lambda _, node: repr(node) and None)
        if done:
            break
    assert done
    assert left > 0


def test_an_array_that_is_replaced_loses_its_document_first(tmp_path: Path) -> None:
    for left in range(1, 30):
        backend = zarrds.DirectoryStore(tmp_path / str(left))
        root = zarrds.group(backend)
        root.create_dataset("a", data=np.arange(10, dtype="i4"), chunks=2, fill_value=-1).attrs["x"] = 1
        dying = Dying(backend, left)
        try:
            zarrds.group(dying).create_dataset("a", data=np.arange(4, dtype="f8"), chunks=2, overwrite=True)
        except OSError:
            found = dict(zarrds.open_group(backend, mode="r").arrays())
            if "a" in found and found["a"].dtype == "i4":
                assert found["a"][:].tolist() == list(range(10))  # as it was
                assert dict(found["a"].attrs) == {"x": 1}
        else:
            break
    assert zarrds.open_group(backend)["a"][:].tolist() == [0, 1, 2, 3]


def test_a_failed_creation_can_be_repeated() -> None:
    backend = zarrds.MemoryStore()
    with pytest.raises(OSError, match="busy"):
        zarrds.create(10, store=FaultyStore(backend, OSError("busy"), verb="set"), path="x/y")
    assert list(backend) == []
    assert zarrds.create(10, store=backend, path="x/y").shape == (10,)


@pytest.mark.parametrize("verb", ["get", "listdir", "keys"])
def test_failed_reads_are_never_taken_for_absence(tmp_path: Path, verb: str) -> None:
    backend = zarrds.DirectoryStore(tmp_path / "x.zarr")
    zarrds.group(backend).create_dataset("a", data=np.arange(10))
    before = files(tmp_path)
    failed = 0
    for attempt in (
        lambda s: zarrds.open_group(s, mode="a"),
        lambda s: zarrds.group(s).create_group("b"),
        lambda s: zarrds.open_group(s, mode="w"),
        lambda s: list(zarrds.group(s)),
        lambda s: zarrds.group(s).require_dataset("b", shape=3),
        lambda s: zarrds.consolidate_metadata(s),
        lambda s: zarrds.load(s),
        lambda s: zarrds.save(s, np.arange(3)),
        lambda s: zarrds.group(s).move("a", "b"),
    ):
        store = FaultyStore(backend, OSError("busy"), verb=verb, forever=True)
        try:
            attempt(store)
        except OSError as error:
            assert "busy" in str(error)  # noqa: PT017
            assert files(tmp_path) == before
            failed += 1
        else:
            assert store.seen == 0
            zarrds.open_group(backend, mode="w").create_dataset("a", data=np.arange(10))
    assert failed >= 2


@pytest.mark.parametrize("consolidated", [False, True])
def test_attributes_of_all_members_of_format_3_come_with_their_documents(consolidated: bool) -> None:
    store = CountingStore(zarrds.MemoryStore())
    g = zarrds.group(store, zarr_format=3)
    g.zeros("a", shape=4, chunks=2).attrs["units"] = {"name": "m"}
    g.create_group("b").attrs["n"] = [1]
    if consolidated:
        g = zarrds.consolidate_metadata(store)
    store.reset()
    found = {name: member.attrs.asdict() for name, member in g.items()}
    assert found == {"a": {"units": {"name": "m"}}, "b": {"n": [1]}}
    assert store.counts.calls == ({} if consolidated else {"listdir": 1, "get": 1})
    found["b"]["n"].append(2)  # no document is shared with a member
    assert dict(g.items())["b"].attrs["n"] == [1]


def test_attributes_that_came_with_a_document_can_be_changed_and_read_again() -> None:
    g = zarrds.group(zarr_format=3)
    g.zeros("a", shape=4).attrs["n"] = 1
    (a,) = g.values()
    a.attrs["m"] = 2
    assert a.attrs.asdict() == {"n": 1, "m": 2}
    (a,) = g.values()
    g["a"].attrs["n"] = 3
    a.attrs.refresh()
    assert a.attrs["n"] == 3
