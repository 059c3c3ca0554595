"""Groups: what zarr-python 2.17.2 does, in every kind of store."""

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
    PathNotFoundError,
    ReadOnlyError,
)
from zarrds.hierarchy import Group

from ..store.doubles import CountingStore, WrappedStore
from .places import STORES, content, files

GROUP = b'{\n    "zarr_format": 2\n}'


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


@pytest.fixture
def root(place: Any) -> Group:
    return zarrds.open_group(place, mode="w")


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
    for name in ("nope", "_nope", "__nope__", "_repr_html_", "_ipython_canary_method_should_not_exist_"):
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


# --- creating ---------------------------------------------------------------------------------------------------------


def test_create_group(root: Group, place: Any) -> None:
    a = root.create_group("a")
    assert (a.name, a.read_only) == ("/a", False)
    with pytest.raises(ContainsGroupError):
        root.create_group("a")
    a.attrs["k"] = 1
    a.zeros("x", shape=3)
    assert list(root.create_group("a", overwrite=True)) == []
    assert len(root["a"].attrs) == 0
    root.create_group("b/c/d")
    root["a"].create_group("/absolute")
    root.create_group(b"bytes")
    assert list(root) == ["a", "absolute", "b", "bytes"]
    for name in ("", "/", None):
        with pytest.raises(ContainsGroupError):
            root.create_group(name)


def test_create_groups(root: Group) -> None:
    assert [g.name for g in root.create_groups("p", "q")] == ["/p", "/q"]
    with pytest.raises(ContainsGroupError):
        root.create_groups("r", "p")
    assert "r" in root  # those before have been made, as in 2.17
    assert [g.name for g in root.create_groups("p", "s", overwrite=True)] == ["/p", "/s"]
    assert root.create_groups() == ()
    with pytest.raises(TypeError):
        root.create_group("p", unknown=3)


def test_nothing_is_created_below_an_array(root: Group, place: Any) -> None:
    root.create_dataset("arr", data=np.arange(3))
    before = content(place)
    for attempt in (
        lambda: root.create_group("arr"),
        lambda: root.create_group("arr/sub"),
        lambda: root.create_group("arr/sub/deeper"),
        lambda: root.require_group("arr"),
        lambda: root.require_group("arr/sub"),
        lambda: root.create_dataset("arr", shape=3),
        lambda: root.create_dataset("arr/sub", shape=3),
        lambda: root.create_dataset("arr/sub/deeper", shape=3),
        lambda: root.require_dataset("arr/sub", shape=3),
        lambda: root.zeros("arr/sub", shape=3),
        lambda: zarrds.group(place, path="arr/sub"),
        lambda: zarrds.open_group(place, mode="a", path="arr/sub"),
        lambda: zarrds.create(3, store=place, path="arr/sub"),
    ):
        with pytest.raises(ContainsArrayError):
            attempt()
    assert content(place) == before


def test_require_group(root: Group) -> None:
    a = root.require_group("a")
    a.attrs["k"] = 1
    assert root.require_group("a") == a
    assert dict(root.require_group("a").attrs) == {"k": 1}
    assert dict(root.require_group("a", overwrite=True).attrs) == {"k": 1}  # overwrite replaces arrays only
    root.zeros("arr", shape=3)
    assert list(root.require_group("arr", overwrite=True)) == []
    assert root.require_group("").name == "/"
    assert [g.name for g in root.require_groups("a", "new/x")] == ["/a", "/new/x"]
    assert root.require_groups() == ()


def test_create_dataset(root: Group) -> None:
    assert root.create_dataset("d1", shape=1000, chunks=100).chunks == (100,)
    assert root.create_dataset("d2", data=[1, 2, 3])[:].tolist() == [1, 2, 3]
    assert root.create_dataset("d3", data=np.arange(10), shape=10, dtype="f4").dtype == "f4"
    full = root.create_dataset("d4", data=np.arange(10), chunks=3, compressor=None, fill_value=7, order="F")
    assert (full.chunks, full.compressor, full.fill_value, full.order) == ((3,), None, 7, "F")
    assert root.create_dataset("d5", data=3).shape == ()
    assert root.create_dataset("d6", shape=3, fillvalue=5).fill_value == 5
    assert root.create_dataset("d7", shape=3, compression="gzip", compression_opts=3).compressor.level == 3
    assert root.create_dataset("d8", shape=3, compression=None).compressor is None
    with pytest.warns(UserWarning, match="nokw"):
        root.create_dataset("d9", shape=3, nokw=3)
    assert root.create_dataset("e/f/g", shape=3).name == "/e/f/g"
    assert root.create_dataset("ro", data=[1], read_only=True).read_only
    for name in ("d1", "e", ""):
        with pytest.raises(ValueError):
            root.create_dataset(name, shape=3)
    assert root.create_dataset("d1", shape=3, overwrite=True).shape == (3,)
    for clash in ({"store": {}}, {"path": "q"}, {"chunk_store": {}}):
        with pytest.raises(TypeError):
            root.create_dataset("clash", shape=3, **clash)
    with pytest.raises(TypeError):
        root.create_dataset("no-shape")
    with pytest.raises(TypeError):
        root.create_dataset("positional", (3,))
    assert "clash" not in root


def test_require_dataset(root: Group) -> None:
    root.require_dataset("foo", shape=100, chunks=10, dtype="f4")[:] = 1
    for shape in (100, (100,), [100], np.int64(100)):
        assert root.require_dataset("foo", shape=shape, dtype="f4")[:].sum() == 100
    assert root.require_dataset("foo", 100, "f2").dtype == "f4"  # f2 can be cast to it
    assert root.require_dataset("foo", 100, "i2").dtype == "f4"
    assert root.require_dataset("foo", 100, "f4", True).dtype == "f4"
    assert root.require_dataset("foo", 100, "f4", chunks=7, data=np.zeros(100))[:].sum() == 100
    for shape, dtype, exact in (
        (99, "f4", False),
        ((100, 1), "f4", False),
        (100, None, False),  # float64
        (100, "f8", False),
        (100, "i4", False),
        (100, "f2", True),
        (100, "i2", True),
    ):
        with pytest.raises(TypeError):
            root.require_dataset("foo", shape, dtype, exact)
    assert root.require_dataset("new/x", shape=10, data=np.arange(10), dtype="f4")[9] == 9
    root.create_group("grp")
    with pytest.raises(ContainsGroupError):
        root.require_dataset("grp", shape=10)
    with pytest.raises(TypeError):
        root.require_dataset("new")


def test_creation_methods(root: Group) -> None:
    common = {"shape": 3, "chunks": 2, "dtype": "i2"}
    assert root.create("a", **common).fill_value == 0
    assert root.empty("b", **common).fill_value is None
    assert root.zeros("c", **common)[:].tolist() == [0, 0, 0]
    assert root.ones("d", **common)[:].tolist() == [1, 1, 1]
    assert root.full("e", 42, **common)[:].tolist() == [42, 42, 42]
    assert root.full("e2", fill_value=42, **common).fill_value == 42
    assert root.array("f", np.arange(5), chunks=2)[:].tolist() == [0, 1, 2, 3, 4]
    assert root.array("f2", data=[1, 2])[:].tolist() == [1, 2]
    like = np.zeros((3, 4), "i1")
    assert root.empty_like("g", like).fill_value is None
    assert root.zeros_like("h", root["f"]).chunks == (2,)
    assert root.ones_like("i", like)[:].tolist() == np.ones((3, 4)).tolist()
    assert root.full_like("j", like, fill_value=3)[0, 0] == 3
    assert root.full_like("k", root["e"]).fill_value == 42
    assert root.zeros_like("l", root["f"], chunks=3).chunks == (3,)
    with pytest.raises(TypeError):
        root.full_like("m", like)
    with pytest.raises(TypeError):
        root.full("n", shape=3)
    with pytest.raises(ContainsArrayError):
        root.zeros("a", shape=3)
    assert root.zeros("a", shape=4, overwrite=True).shape == (4,)
    assert [root[name].name for name in root] == [f"/{name}" for name in root]
    assert list(root) == ["a", "b", "c", "d", "e", "e2", "f", "f2", "g", "h", "i", "j", "k", "l"]


# --- moving -----------------------------------------------------------------------------------------------------------


def test_move(root: Group, place: Any) -> None:
    root.create_dataset("foo", data=np.arange(100), chunks=10).attrs["u"] = "m"
    root.create_group("bar/baz")
    root.move("foo", "bar/foo2")
    assert (list(root), list(root["bar"])) == (["bar"], ["baz", "foo2"])
    root["bar"].move("foo2", "/at-root")
    root["bar"].move("/at-root", "inner")
    assert (list(root), list(root["bar"])) == (["bar"], ["baz", "inner"])
    root.move("bar/inner", "x/y//z/")
    assert root["x/y/z"][:].tolist() == list(range(100))
    assert dict(root["x/y/z"].attrs) == {"u": "m"}
    assert content(place)["x/y/.zgroup"] == GROUP
    root.move("x", "w")
    assert list(root) == ["bar", "w"]
    assert not any(key.startswith(("x/", "foo")) for key in content(place))


def test_moves_that_cannot_be(root: Group, place: Any) -> None:
    root.create_dataset("a", data=[1])
    root.create_dataset("g/b", data=[2])
    before = content(place)
    for source, dest, kind in (
        ("nope", "x", PathNotFoundError),
        ("a", "g", ContainsGroupError),
        ("g", "a", ContainsArrayError),
        ("a", "a", ValueError),
        ("g", "g/inside", ValueError),
        ("a", "g/b/below", ContainsArrayError),
        ("", "x", ValueError),
        ("/", "x", ValueError),
        ("a", "", ContainsGroupError),
        ("a", "..", ValueError),
    ):
        with pytest.raises(kind):
            root.move(source, dest)
        assert content(place) == before


# --- read-only --------------------------------------------------------------------------------------------------------


def test_read_only(root: Group, place: Any) -> None:
    root.create_dataset("a", data=np.arange(3))
    root.create_group("b")
    before = content(place)
    opened = zarrds.open_group(place, mode="r")
    assert opened["a"].read_only
    assert opened["b"].read_only
    like = np.arange(3)
    for attempt in (
        lambda: opened.create_group("x"),
        lambda: opened.create_groups("x", "y"),
        lambda: opened.require_group("b"),
        lambda: opened.require_groups("b"),
        lambda: opened.create_dataset("x", shape=3),
        lambda: opened.require_dataset("a", shape=3, dtype="i8"),
        lambda: opened.create("x", shape=3),
        lambda: opened.empty("x", shape=3),
        lambda: opened.zeros("x", shape=3),
        lambda: opened.ones("x", shape=3),
        lambda: opened.full("x", 3, shape=3),
        lambda: opened.array("x", like),
        lambda: opened.empty_like("x", like),
        lambda: opened.zeros_like("x", like),
        lambda: opened.ones_like("x", like),
        lambda: opened.full_like("x", like, fill_value=1),
        lambda: opened.__setitem__("x", 3),
        lambda: opened.__delitem__("a"),
        lambda: opened.__delitem__("nope"),
        lambda: opened.move("a", "c"),
        lambda: opened.attrs.__setitem__("k", 1),
        lambda: opened.attrs.put({}),
        lambda: opened.attrs.update(a=1),
        lambda: opened["b"].create_group("x"),
    ):
        with pytest.raises(ReadOnlyError) as caught:
            attempt()
        assert isinstance(caught.value, PermissionError)
    assert content(place) == before


# --- no look-ups behind the user's back -------------------------------------------------------------------------------


def test_probing_asks_no_store() -> None:
    store = CountingStore(zarrds.MemoryStore())
    g = zarrds.group(store)
    g.zeros("a", shape=3)
    store.reset()
    for name in ("_repr_html_", "_repr_mimebundle_", "__array__", "__len_hint__", "_ipython_display_", "_x"):
        assert not hasattr(g, name)
    repr(g)
    str(g)
    assert store.counts.calls == {}


def test_a_handle_of_a_deleted_group_makes_it_again(root: Group, place: Any) -> None:
    a = root.create_group("a/b")
    del root["a"]
    a.zeros("x", shape=3)
    assert set(content(place)) == {".zgroup", "a/.zgroup", "a/b/.zgroup", "a/b/x/.zarray"}
    assert a.require_group("y").name == "/a/b/y"
    del root["a"]
    root.zeros("a", shape=3)
    with pytest.raises(ContainsArrayError):
        a.create_group("z")
    with pytest.raises(ContainsArrayError):
        a.zeros("z", shape=3)
