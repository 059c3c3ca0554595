"""Groups, opened and looked at: what zarr-python 2.17.2 does, in every kind of store."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import (
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
)
from zarrds.hierarchy import Group

from ..store.doubles import WrappedStore
from .places import content, files

GROUP = b'{\n    "zarr_format": 2\n}'


# --- making and opening -----------------------------------------------------------------------------------------------


def test_group_creates_or_opens(place: Any) -> None:
    g = zarrds.group(place)
    assert (g.name, g.path, g.basename, g.read_only) == ("/", "", "", False)
    assert content(place) == {".zgroup": GROUP}
    g.attrs["a"] = 1
    again = zarrds.group(place)
    assert dict(again.attrs) == {"a": 1}
    assert zarrds.group(place, path="x/y").path == "x/y"
    assert set(content(place)) == {".zgroup", ".zattrs", "x/.zgroup", "x/y/.zgroup"}
    assert len(zarrds.group(place, overwrite=True).attrs) == 0
    assert content(place) == {".zgroup": GROUP}


def test_default_stores() -> None:
    assert type(zarrds.group().store) is zarrds.MemoryStore
    assert type(zarrds.open_group().store) is zarrds.MemoryStore
    assert type(zarrds.group({}).store) is zarrds.KVStore


def test_modes_where_nothing_is(place: Any) -> None:
    for mode in ("r", "r+"):
        with pytest.raises(GroupNotFoundError) as caught:
            zarrds.open_group(place, mode=mode)
        assert isinstance(caught.value, ValueError)
        assert content(place) == {}
    for mode in ("a", "w-", "x", "w"):
        assert zarrds.open_group(place, mode=mode, path=f"in-{mode}").name == f"/in-{mode}"


def test_modes_where_a_group_is(root: Group, place: Any) -> None:
    root.create_group("x")
    for mode in ("r", "r+", "a"):
        g = zarrds.open_group(place, mode=mode)
        assert list(g) == ["x"]
        assert g.read_only is (mode == "r")
        assert repr(g) == "<zarrds.hierarchy.Group '/'>" if mode != "r" else "<zarrds.hierarchy.Group '/' read-only>"
    for mode in ("w-", "x"):
        with pytest.raises(ContainsGroupError):
            zarrds.open_group(place, mode=mode)
    assert list(zarrds.open_group(place, mode="w")) == []


def test_modes_where_an_array_is(place: Any) -> None:
    zarrds.create(10, store=place, path="arr", chunks=5)[:] = 1
    before = content(place)
    for mode in ("r", "r+", "a", "w-", "x"):
        with pytest.raises(ContainsArrayError):
            zarrds.open_group(place, mode=mode, path="arr")
    for attempt in (
        lambda: zarrds.group(place, path="arr"),
        lambda: Group(place, path="arr"),
    ):
        with pytest.raises(ContainsArrayError):
            attempt()
    with pytest.raises(ContainsGroupError):
        zarrds.open_array(place, mode="r", path="")
    assert content(place) == before
    zarrds.open_group(place, mode="w", path="arr")
    assert content(place) == {".zgroup": GROUP, "arr/.zgroup": GROUP}


def test_group_needs_a_group(place: Any) -> None:
    with pytest.raises(GroupNotFoundError):
        Group(place, path="nope")


@pytest.mark.parametrize("path", ["foo/bar", "/foo/bar", "foo/bar/", "foo//bar", "foo\\bar", b"foo/bar"])
def test_forms_of_paths(path: Any) -> None:
    g = zarrds.group(path=path)
    assert (g.path, g.name, g.basename) == ("foo/bar", "/foo/bar", "bar")
    assert sorted(g.store) == [".zgroup", "foo/.zgroup", "foo/bar/.zgroup"]
    root = zarrds.group(g.store)
    assert root[path] == g
    assert path in root
    assert root.require_group(path) == g


@pytest.mark.parametrize("path", ["..", "a/../b", ".", "a/.", "a\\..\\b"])
def test_paths_that_lead_out(path: str) -> None:
    root = zarrds.group()
    for attempt in (
        lambda: zarrds.group(path=path),
        lambda: zarrds.open_group(path=path, mode="w"),
        lambda: root[path],
        lambda: path in root,
        lambda: root.create_group(path),
        lambda: root.require_group(path),
        lambda: root.create_dataset(path, shape=3),
        lambda: root.__delitem__(path),
        lambda: root.move(path, "x"),
    ):
        with pytest.raises(ValueError, match="segment"):
            attempt()
    assert sorted(root.store) == [".zgroup"]


def test_chunks_in_another_store(place: Any) -> None:
    chunks: dict[str, bytes] = {}
    g = zarrds.open_group(place, mode="w", chunk_store=chunks)
    g.create_dataset("foo/bar", data=np.arange(100), chunks=50)
    assert sorted(chunks) == ["foo/bar/0", "foo/bar/1"]
    assert set(content(place)) == {".zgroup", "foo/.zgroup", "foo/bar/.zarray"}
    assert g["foo"].chunk_store is g["foo/bar"].chunk_store is g.chunk_store
    assert type(g.chunk_store) is zarrds.KVStore
    g.move("foo", "moved")
    assert sorted(chunks) == ["moved/bar/0", "moved/bar/1"]
    g.create_dataset("moved/bar", data=np.arange(3), overwrite=True)
    assert sorted(chunks) == ["moved/bar/0"]
    del g["moved"]
    assert (chunks, content(place)) == ({}, {".zgroup": GROUP})
    g.create_dataset("foo", data=np.arange(100), chunks=50)
    zarrds.group(place, chunk_store=chunks, overwrite=True)
    assert (chunks, content(place)) == ({}, {".zgroup": GROUP})


def test_options_reach_members() -> None:
    sync = zarrds.ThreadSynchronizer()
    g = zarrds.group(synchronizer=sync, cache_attrs=False)
    made = [
        g.create_group("a"),
        g.zeros("b", shape=3),
        g.create_dataset("c", data=[1]),
        g.require_dataset("d", shape=3),
    ]
    for node in (g, *made, g["a"], g["b"]):
        assert node.synchronizer is sync
        assert node.attrs.cache is False
    assert g.zeros("e", shape=3, synchronizer=None).synchronizer is None
    assert dict(g.info_items())["Synchronizer type"] == "zarrds.sync.ThreadSynchronizer"


def test_meta_array() -> None:
    class Own(np.ndarray[Any, Any]):
        pass

    like = np.empty(2).view(Own)
    for g in (zarrds.group(meta_array=like), zarrds.open_group(meta_array=like)):
        assert type(g.meta_array) is Own
        assert type(g.create_group("x").meta_array) is Own
        g.create_dataset("a", data=[1, 2])
        assert type(g["a"].meta_array) is Own
    assert type(zarrds.group().meta_array) is np.ndarray


def test_storage_options_and_urls() -> None:
    g = zarrds.open_group("memory://of-groups/a.zarr", mode="w", storage_options={"use_listings_cache": False})
    assert type(g.store) is zarrds.storage.FSStore
    g.create_dataset("x", data=[1, 2])
    assert list(zarrds.open_group("memory://of-groups/a.zarr", mode="r")["x"][:]) == [1, 2]


def test_chunk_store_by_location(tmp_path: Path) -> None:
    g = zarrds.open_group(str(tmp_path / "meta"), mode="w", chunk_store=str(tmp_path / "chunks"))
    g.create_dataset("a", data=np.arange(5))
    assert set(files(tmp_path)) == {"meta/.zgroup", "meta/a/.zarray", "chunks/a/0"}
    assert dict(g.info_items())["Chunk store type"] == "zarrds.storage.DirectoryStore"


# --- members ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def family(root: Group) -> Group:
    root.create_groups("b", "a", "c10", "c9", "B", "_x", "b/deep")
    root.zeros("zz", shape=3)
    root.zeros("b/arr", shape=(2, 2), dtype="i2")
    root.zeros("b/deep/er", shape=4)
    return root


def test_order_of_members(family: Group) -> None:
    names = ["B", "_x", "a", "b", "c10", "c9", "zz"]
    assert list(family) == list(family.keys()) == names
    assert len(family) == len(family.keys()) == len(family.items()) == len(family.values()) == 7
    assert list(family.group_keys()) == names[:-1]
    assert list(family.array_keys()) == ["zz"]
    assert [name for name, _ in family.items()] == names
    assert [member.basename for member in family.values()] == names
    assert [(name, member.name) for name, member in family.groups()] == [(name, f"/{name}") for name in names[:-1]]
    assert [(name, type(member)) for name, member in family.arrays()] == [("zz", zarrds.Array)]


def test_recursion(family: Group) -> None:
    assert list(family.array_keys(recurse=True)) == ["arr", "er", "zz"]
    assert [(n, a.name) for n, a in family.arrays(recurse=True)] == [
        ("arr", "/b/arr"), ("er", "/b/deep/er"), ("zz", "/zz"),
    ]  # fmt: skip
    assert list(family["b"].array_keys(recurse=True)) == ["arr", "er"]


def test_generators_are_lazy_iterators(family: Group) -> None:
    for iterator in (family.group_keys(), family.groups(), family.array_keys(), family.arrays(), iter(family)):
        assert iter(iterator) is iterator


def test_access(family: Group) -> None:
    assert family["b/deep/er"].name == "/b/deep/er"
    assert family["b"]["deep"]["er"] == family["/b/deep/er"] == family["b"]["/b/deep/er"]
    assert family[""] == family["/"] == family[None] == family["b"]["/"] == family
    assert family["b"][""] == family["b"]
    assert family[b"b"] == family["b"]
    for name in ("nope", "b/nope", "zz/x", ".zgroup", "b/.zgroup"):
        assert name not in family
        with pytest.raises(KeyError) as caught:
            family[name]
        assert caught.value.args == (name,)
        assert family.get(name) is None
        assert family.get(name, 3) == 3
    assert all(name in family for name in ("b", "/b", "b/", "b/arr", "", "/"))
    assert "arr" not in family


def test_members_as_attributes(family: Group) -> None:
    assert family.b.deep.er.shape == (4,)
    for name in ("nope", "_nope", "__nope__", "_repr_latex_", "_ipython_canary_method_should_not_exist_"):
        with pytest.raises(AttributeError):
            getattr(family, name)
    assert getattr(family, "nope", 5) == 5
    family.zeros("attrs", shape=3)
    family.create_group("name")
    assert type(family.attrs) is zarrds.attrs.Attributes
    assert family.name == "/"
    assert family["attrs"].shape == (3,)


def test_properties_cannot_be_set(family: Group) -> None:
    for name in ("name", "path", "attrs", "read_only", "store", "info", "basename"):
        with pytest.raises(AttributeError):
            setattr(family, name, 3)


def test_completions(family: Group) -> None:
    family.zeros("with space", shape=1)
    assert {"b", "zz", "_x", "create_group", "attrs"} <= set(dir(family))
    assert "with space" not in dir(family)
    assert dir(family) == sorted(dir(family))
    assert family._ipython_key_completions_() == sorted(family)
    family.attrs["u"] = 1
    assert family.attrs._ipython_key_completions_() == ["u"]


def test_mapping_protocol(root: Group) -> None:
    assert isinstance(root, MutableMapping)
    assert isinstance(root, Mapping)
    root["a"] = np.arange(4)
    root["a"] = np.arange(8)
    root["s"] = 42
    root["b/c"] = [[1, 2], [3, 4]]
    assert root["a"].shape == (8,)
    assert root["s"][()] == 42
    assert root["b/c"][:].tolist() == [[1, 2], [3, 4]]
    root.update(u=[1], v=np.zeros(3))
    assert list(root) == ["a", "b", "s", "u", "v"]
    assert root.pop("u").shape == (1,)
    assert list(root) == ["a", "b", "s", "v"]
    root["b"] = [1]
    assert isinstance(root["b"], zarrds.Array)
    root.clear()
    assert list(root) == []


def test_assigning_an_array_keeps_its_chunks(root: Group) -> None:
    root["a"] = zarrds.array(np.arange(10), chunks=3)
    assert root["a"].chunks == (3,)


def test_empty_groups_are_falsy_as_mappings_are() -> None:
    g = zarrds.group()
    assert not g
    g.create_group("a")
    assert g


def test_delete(root: Group, place: Any) -> None:
    root.create_dataset("x/y", data=np.arange(10), chunks=2)
    root.create_dataset("w", data=np.arange(4), chunks=2)
    del root["x/y"]
    assert set(content(place)) == {".zgroup", "x/.zgroup", "w/.zarray", "w/0", "w/1"}
    del root["x"]
    del root["w"]
    assert content(place) == {".zgroup": GROUP}
    for name in ("x", "w", "nope", "nope/x"):
        with pytest.raises(KeyError):
            del root[name]


def test_equality(root: Group, place: Any) -> None:
    a = root.create_group("a")
    assert root == zarrds.open_group(place)
    assert root["a"] == a != root
    assert root != zarrds.open_group(place, mode="r")
    assert root != zarrds.group({"other": b""})
    assert root != 3
    with pytest.raises(TypeError):
        hash(root)


def test_pickling(tmp_path: Path) -> None:
    place = str(tmp_path / "p.zarr")
    zarrds.open_group(place, mode="w").create_dataset("a/b", data=np.arange(4))
    sync = zarrds.ThreadSynchronizer()
    opened = zarrds.open_group(place, mode="r", path="a", cache_attrs=False, synchronizer=sync)
    copy = pickle.loads(pickle.dumps(opened))
    assert copy == opened
    assert copy["b"][:].tolist() == [0, 1, 2, 3]
    assert (copy.read_only, copy.attrs.cache, type(copy.synchronizer)) == (True, False, zarrds.ThreadSynchronizer)
    assert len(pickle.dumps(opened)) < 1000
    in_memory = zarrds.group()
    in_memory.zeros("a", shape=3)
    assert list(pickle.loads(pickle.dumps(in_memory))) == ["a"]


def test_unpickling_asks_no_store() -> None:
    asked = []

    class Watched(zarrds.MemoryStore):
        def get_many(self, requests: Any) -> Any:
            asked.append(requests)
            return super().get_many(requests)

    g = zarrds.group(Watched())
    asked.clear()
    rebuild, args = g.__reduce__()[:2]
    assert rebuild(*args).name == "/"
    assert asked == []


def test_context_closes_the_store() -> None:
    closed = []

    class Closing(WrappedStore):
        def close(self) -> None:
            closed.append(self)

    store, chunks = Closing(zarrds.MemoryStore()), Closing(zarrds.MemoryStore())
    with zarrds.group(store) as g:
        assert g.create_group("a").name == "/a"
        assert closed == []
    assert closed == [store]
    with pytest.raises(ZeroDivisionError), zarrds.group(store, chunk_store=chunks):
        1 / 0
    assert len(closed) == 3
    with zarrds.group({}) as g:
        assert len(g) == 0


# --- visiting ---------------------------------------------------------------------------------------------------------


def test_visits_go_depth_first(family: Group) -> None:
    paths = ["B", "_x", "a", "b", "b/arr", "b/deep", "b/deep/er", "c10", "c9", "zz"]
    for visit in (family.visit, family.visitkeys):
        seen: list[str] = []
        assert visit(seen.append) is None
        assert seen == paths
    nodes: list[Any] = []
    assert family.visitvalues(nodes.append) is None
    assert [node.path for node in nodes] == paths
    pairs: list[Any] = []
    family.visititems(lambda name, node: pairs.append((name, node.path)))
    assert pairs == list(zip(paths, paths, strict=True))
    seen = []
    family["b"].visit(seen.append)
    assert seen == ["arr", "deep", "deep/er"]


@pytest.mark.parametrize("value", ["text", 0, False, ""])
def test_visits_stop_at_anything_but_none(family: Group, value: Any) -> None:
    seen: list[str] = []

    def stop_at_arr(name: str, *_: Any) -> Any:
        seen.append(name)
        return value if name == "b/arr" else None

    assert family.visit(stop_at_arr) == value
    assert seen[-1] == "b/arr"
    assert family.visititems(stop_at_arr) == value
    assert family.visitvalues(lambda node: value if node.basename == "deep" else None) == value
