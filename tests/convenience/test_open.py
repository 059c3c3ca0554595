"""`open`: an array or a group, by what is there, the mode and whether a shape is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zarrds
from zarrds.errors import ArrayNotFoundError, ContainsArrayError, ContainsGroupError, PathNotFoundError

from ..hierarchy.places import STORES, content
from ..store.doubles import CountingStore


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


def kind(node: Any) -> tuple[str, Any]:
    return type(node).__name__, node.read_only


def test_nothing_there(place: Any) -> None:
    for mode in ("r", "r+"):
        with pytest.raises(PathNotFoundError):
            zarrds.open(place, mode=mode)
        with pytest.raises(PathNotFoundError):
            zarrds.open(place, mode=mode, shape=3)
    assert content(place) == {}
    for mode in ("a", "w", "w-", "x"):
        assert kind(zarrds.open(place, mode=mode, path=f"g{mode}")) == ("Group", False)
        assert kind(zarrds.open(place, mode=mode, path=f"a{mode}", shape=3)) == ("Array", False)


def test_an_array_there(place: Any) -> None:
    zarrds.open(place, mode="w", shape=100, dtype="i4", chunks=10)
    for mode in ("a", "r", "r+"):
        assert kind(zarrds.open(place, mode=mode)) == ("Array", mode == "r")
        assert zarrds.open(place, mode=mode, shape=5).shape == (100,)
    for mode in ("w-", "x"):
        with pytest.raises(ContainsArrayError):
            zarrds.open(place, mode=mode)
        with pytest.raises(ContainsArrayError):
            zarrds.open(place, mode=mode, shape=3)
    assert zarrds.open(place, mode="w", shape=7).shape == (7,)
    assert kind(zarrds.open(place, mode="w")) == ("Group", False)
    assert set(content(place)) == {".zgroup"}


def test_a_group_there(place: Any) -> None:
    zarrds.open(place, mode="w").zeros("x/y", shape=4)
    for mode in ("a", "r", "r+"):
        assert kind(zarrds.open(place, mode=mode)) == ("Group", mode == "r")
        assert kind(zarrds.open(place, mode=mode, path="x/y")) == ("Array", mode == "r")
    with pytest.raises(ContainsGroupError):
        zarrds.open(place, mode="a", shape=5)
    for mode in ("r", "r+"):
        with pytest.raises(TypeError):
            zarrds.open(place, mode=mode, shape=5)
    for mode in ("w-", "x"):
        with pytest.raises(ContainsGroupError):
            zarrds.open(place, mode=mode)
        with pytest.raises(ContainsGroupError):
            zarrds.open(place, mode=mode, shape=3)
    with pytest.raises(ContainsGroupError):
        zarrds.open_array(place, mode="r", path="x")
    with pytest.raises(ArrayNotFoundError):
        zarrds.open_array(place, mode="r", path="nope")


def test_nothing_given() -> None:
    assert repr(zarrds.open()) == "<zarrds.hierarchy.Group '/'>"
    assert repr(zarrds.open(mode="w", shape=3)) == "<zarrds.core.Array (3,) float64>"


def test_options(place: Any) -> None:
    zarrds.open(place, mode="w", path="g")
    zarrds.open(place, mode="w", path="a", shape=3)
    for path in ("g", "a"):
        assert zarrds.open(place, path=path, cache_attrs=False).attrs.cache is False
        assert zarrds.open(place, path=path, zarr_version=2).path == path
    with pytest.warns(UserWarning, match="foo"):
        zarrds.open(place, path="a", foo=3)
    with pytest.warns(UserWarning, match="foo"):
        zarrds.open(place, path="new", shape=3, foo=3)
    with pytest.raises(TypeError, match="foo"):
        zarrds.open(place, path="g", foo=3)
    with pytest.raises(TypeError, match="chunks"):
        zarrds.open(place, path="g", chunks=3)


def test_an_array_is_one_batch_of_two_keys_and_a_group_another() -> None:
    store = CountingStore(zarrds.MemoryStore())
    root = zarrds.open(store, mode="w")
    root.zeros("a", shape=3)
    for path in ("", "a"):
        for mode in ("r", "r+", "a"):
            store.reset()
            zarrds.open(store, mode=mode, path=path)
            assert store.counts.calls == {"get": 1 if path else 2}
            assert store.counts.keys == {"get": 2 if path else 3}


@pytest.mark.parametrize("mode", ["", "rw", "R", "wb", "a+", None, 3])
def test_modes_that_are_none(mode: Any) -> None:
    store: dict[str, bytes] = {}
    for function in (zarrds.open, zarrds.open_group, zarrds.open_array):
        with pytest.raises(ValueError, match="mode"):
            function(store, mode=mode)
    assert store == {}
