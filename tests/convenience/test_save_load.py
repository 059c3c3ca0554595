"""`save`, `save_array`, `save_group`, `load` and its lazy loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.convenience import LazyLoader
from zarrds.errors import ForeignFilesError

from ..hierarchy.places import STORES, content, files
from ..store.doubles import CountingStore

ARR = np.arange(100)


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


def test_one_array(place: Any) -> None:
    zarrds.save(place, ARR)
    loaded = zarrds.load(place)
    assert type(loaded) is np.ndarray
    assert loaded.tolist() == ARR.tolist()
    assert set(content(place)) == {".zarray", "0"}


def test_several_arrays(place: Any) -> None:
    zarrds.save(place, ARR, ARR[::-1], named=ARR[:3])
    loader = zarrds.load(place)
    assert isinstance(loader, LazyLoader)
    assert repr(loader) == "<LazyLoader: arr_0, arr_1, named>"
    assert list(loader) == list(loader.keys()) == ["arr_0", "arr_1", "named"]
    assert len(loader) == 3
    assert "arr_0" in loader
    assert "nope" not in loader
    assert loader["arr_1"].tolist() == ARR[::-1].tolist()
    assert loader["named"] is loader["named"]
    assert loader.get("nope") is None
    with pytest.raises(KeyError):
        loader["nope"]
    assert dict(loader)["named"].tolist() == [0, 1, 2]


def test_the_loader_is_lazy() -> None:
    store = CountingStore(zarrds.MemoryStore())
    zarrds.save_group(store, a=ARR, b=ARR)
    store.reset()
    loader = zarrds.load(store)
    assert store.reset().keys["get"] <= 3
    repr(loader)
    list(loader)
    read = [request for verb, requests in store.reset().log if verb == "get" for request, _ in requests]
    assert not any(key.endswith("/0") for key in read)
    loader["a"]
    read = [request for verb, requests in store.reset().log if verb == "get" for request, _ in requests]
    assert [key for key in read if key.endswith("/0")] == ["a/0"]
    loader["a"]
    assert store.reset().calls == {}


def test_groups_in_groups() -> None:
    root = zarrds.group()
    root["n/x"] = ARR
    root["b"] = ARR[:2]
    loader = zarrds.load(root.store)
    assert repr(loader) == "<LazyLoader: b>"
    assert list(loader) == ["b", "n"]
    assert loader["n/x"].tolist() == ARR.tolist()
    assert loader["n"]["x"].tolist() == ARR.tolist()


def test_below_a_path(place: Any) -> None:
    zarrds.save(place, ARR, path="x/y")
    zarrds.save(place, foo=ARR[:2], path="grp")
    assert zarrds.load(place, path="x/y").tolist() == ARR.tolist()
    assert repr(zarrds.load(place, path="grp")) == "<LazyLoader: foo>"
    assert list(zarrds.load(place)) == ["grp", "x"]
    zarrds.save_array(place, ARR[:3], path="x/y")
    assert zarrds.load(place, path="/x//y/").tolist() == [0, 1, 2]
    assert "grp/foo/0" in content(place)


def test_what_is_saved_replaces_what_is_there(place: Any) -> None:
    zarrds.save(place, ARR, ARR)
    zarrds.save(place, foo=ARR)
    assert list(zarrds.load(place)) == ["foo"]
    zarrds.save(place, ARR)
    assert set(content(place)) == {".zarray", "0"}
    zarrds.save_group(place, bar=ARR)
    assert list(zarrds.load(place)) == ["bar"]


def test_nothing_there(place: Any) -> None:
    assert zarrds.load(place) is None
    assert zarrds.load(place, path="nope") is None


def test_anything_array_like(place: Any) -> None:
    zarrds.save(place, [1, 2, 3])
    assert zarrds.load(place).tolist() == [1, 2, 3]
    zarrds.save(place, 3)
    assert zarrds.load(place).tolist() == 3
    zarrds.save_group(place, [1, 2], x=3)
    assert zarrds.load(place)["arr_0"].tolist() == [1, 2]
    zarrds.save(place, zarrds.array(ARR, chunks=30))
    assert zarrds.open(place).chunks == (30,)
    zarrds.save_group(place, a=zarrds.array(ARR, chunks=30))
    assert zarrds.open(place)["a"].chunks == (30,)


def test_options_of_the_array(place: Any) -> None:
    zarrds.save_array(place, ARR, compressor=None, chunks=10, fill_value=7)
    saved = zarrds.open(place)
    assert (saved.compressor, saved.chunks, saved.fill_value) == (None, (10,), 7)


@pytest.mark.parametrize("dtype", ["i2", "f8", "c16", "?", "S3", "U4", "M8[s]", [("a", "i4"), ("b", "f8", (2,))]])
def test_dtypes_come_back(dtype: Any) -> None:
    data = np.zeros((3, 4), dtype)
    store: dict[str, bytes] = {}
    zarrds.save(store, data)
    loaded = zarrds.load(store)
    assert (loaded.dtype, loaded.shape) == (data.dtype, data.shape)
    assert np.array_equal(loaded, data)


def test_what_cannot_be_saved(place: Any) -> None:
    zarrds.save(place, keep=ARR)
    before = content(place)
    for attempt in (
        lambda: zarrds.save(place),
        lambda: zarrds.save_group(place),
        lambda: zarrds.save(place, ARR, arr_0=ARR),
        lambda: zarrds.save_group(place, ARR, ARR, arr_1=ARR),
        lambda: zarrds.save_array(place, np.array([object()], dtype=object)),
        lambda: zarrds.save_array(place, ARR, path=".."),
    ):
        with pytest.raises(ValueError):
            attempt()
        assert content(place) == before
    for store in (None, 3, b"x"):
        with pytest.raises(TypeError):
            zarrds.save(store, ARR)
        with pytest.raises(TypeError):
            zarrds.load(store)


def test_foreign_files_stay(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_bytes(b"years")
    for attempt in (
        lambda: zarrds.save(str(tmp_path), ARR),
        lambda: zarrds.save(str(tmp_path), ARR, ARR),
        lambda: zarrds.save_array(str(tmp_path), ARR),
        lambda: zarrds.save_group(str(tmp_path), a=ARR),
    ):
        with pytest.raises(ForeignFilesError, match=r"thesis\.doc"):
            attempt()
        assert files(tmp_path) == {"thesis.doc": b"years"}
    zarrds.save(str(tmp_path), ARR, path="sub")
    assert set(files(tmp_path)) == {"thesis.doc", ".zgroup", "sub/.zarray", "sub/0"}


def test_saving_an_array_onto_itself(place: Any) -> None:
    zarrds.save_array(place, ARR, chunks=10)
    lazy = zarrds.open(place, mode="r")
    before = content(place)
    for attempt in (
        lambda: zarrds.save(place, lazy),
        lambda: zarrds.save_array(place, lazy),
        lambda: zarrds.save_group(place, a=lazy),
        lambda: zarrds.array(lazy, store=place, overwrite=True),
    ):
        with pytest.raises(zarrds.errors.SelfOverwriteError):
            attempt()
        assert content(place) == before


def test_a_member_onto_itself(place: Any) -> None:
    root = zarrds.open_group(place, mode="w")
    root.create_dataset("g/a", data=ARR, chunks=10)
    before = content(place)
    for attempt in (
        lambda: root.__setitem__("g/a", root["g/a"]),
        lambda: root.__setitem__("g", root["g/a"]),
        lambda: root.create_dataset("g/a", data=zarrds.open(place, path="g/a"), chunks=7, overwrite=True),
        lambda: zarrds.save(place, root["g/a"]),
        lambda: zarrds.save(place, b=root["g/a"], path="g"),
    ):
        with pytest.raises(zarrds.errors.SelfOverwriteError):
            attempt()
        assert content(place) == before
    root["g/b"] = root["g/a"]
    root["g/b"] = root["g/a"]
    zarrds.save(place, c=root["g/a"], path="other")
    assert root["g/b"][:].tolist() == root["other/c"][:].tolist() == ARR.tolist()
    other: dict[str, bytes] = {}
    zarrds.save(other, root["g/a"], path="g/a")
    zarrds.save(other, root["g/a"], path="g/a")
    assert zarrds.load(other, path="g/a").tolist() == ARR.tolist()
