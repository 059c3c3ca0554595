"""Groups that are changed, members made, moved and refused: what zarr-python 2.17.2 does, in every kind of store."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import ContainsArrayError, ContainsGroupError, PathNotFoundError, ReadOnlyError
from zarrds.hierarchy import Group

from ..store.doubles import CountingStore
from .places import content

GROUP = b'{\n    "zarr_format": 2\n}'


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
    for name in ("_repr_latex_", "_repr_mimebundle_", "__array__", "__len_hint__", "_ipython_display_", "_x"):
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
