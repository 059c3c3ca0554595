"""User attributes: what they take, what is stored, caching, and that a failure changes nothing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.store.doubles import CountingStore
from zarrds.attrs import Attributes, read_attributes
from zarrds.storage import ConsolidatedMetadataStore


def fresh(**options: Any) -> tuple[dict[str, bytes], Attributes]:
    store: dict[str, bytes] = {}
    return store, zarrds.zeros(3, store=store, **options).attrs


def test_a_mapping() -> None:
    _, a = fresh()
    assert (len(a), list(a), bool(a), "x" in a, a.get("x"), a.get("x", 4)) == (0, [], False, False, None, 4)
    a["b"] = 1
    a["a"] = [2]
    assert (len(a), list(a), "b" in a, a["b"]) == (2, ["b", "a"], True, 1)
    assert (list(a.items()), a == {"b": 1, "a": [2]}) == ([("b", 1), ("a", [2])], True)
    assert a.setdefault("c", 3) == 3
    assert a.pop("c") == 3
    assert a.pop("c", 5) == 5
    del a["b"]
    with pytest.raises(KeyError):
        a["b"]
    with pytest.raises(KeyError):
        del a["b"]
    a.clear()
    assert a.asdict() == {}


def test_the_document() -> None:
    store, a = fresh()
    assert ".zattrs" not in store
    a["b"] = 1
    a["a"] = "é"
    assert store[".zattrs"] == b'{\n    "a": "\\u00e9",\n    "b": 1\n}'
    assert list(zarrds.Array(store).attrs) == ["a", "b"]


VALUES = [1, 1.5, -0.0, True, None, "x", "\U0001f600", [1, [2, {"a": None}]], {"a": {"b": [1]}}, 2**70, float("inf")]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(value: Any) -> None:
    store, a = fresh()
    a["x"] = value
    assert a["x"] == value
    assert zarrds.Array(store).attrs["x"] == value
    assert type(a["x"]) is type(value)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.int64(3), 3),
        (np.float32(1.5), 1.5),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        ((1, 2), [1, 2]),
        ({1: 2}, {"1": 2}),
        (np.str_("q"), "q"),
    ],
    ids=repr,
)
def test_values_that_become_json(value: Any, stored: Any) -> None:
    store, a = fresh()
    a["x"] = value
    assert a["x"] == stored
    assert json.loads(store[".zattrs"]) == {"x": stored}


NO_JSON = [object(), {1, 2}, b"a", 1 + 2j, np.datetime64("2000-01-01"), {(1,): 2}, range(3), [object()], np.array(1j)]


@pytest.mark.parametrize("value", NO_JSON)
def test_values_without_json_form_change_nothing(value: Any) -> None:
    store, a = fresh()
    a["y"] = 1
    before = dict(store)
    for attempt in (
        lambda: a.__setitem__("x", value),
        lambda: a.update(z=2, x=value),
        lambda: a.put({"x": value}),
        lambda: a.setdefault("x", value),
    ):
        with pytest.raises(TypeError):
            attempt()
        assert dict(store) == before
        assert a.asdict() == {"y": 1}


def test_put_and_update() -> None:
    store, a = fresh()
    a.update(x=1, y=2)
    a.update({"x": 3}, z=4)
    a.update([("w", 5)])
    assert a.asdict() == {"x": 3, "y": 2, "z": 4, "w": 5}
    a.put({"only": 1})
    assert json.loads(store[".zattrs"]) == a.asdict() == {"only": 1}
    for bad in (3, None):
        with pytest.raises(TypeError):
            a.put(bad)
        with pytest.raises(TypeError):
            a.update(3)
    with pytest.raises(TypeError, match="mapping"):
        a.change(lambda stored: stored.update(x=1))  # type: ignore[arg-type, func-returns-value]
    assert a.asdict() == {"only": 1}


@pytest.mark.parametrize("name", [1, (1, 2), None, True, 1.5])
def test_names_that_are_no_strings(name: Any) -> None:
    _, a = fresh()
    message = "only attribute keys of type 'string' will be allowed in the future"
    for attempt in (lambda: a.__setitem__(name, 2), lambda: a.put({name: 2}), lambda: a.update({name: 2})):
        with pytest.warns(DeprecationWarning, match=message):
            attempt()
        assert a.asdict() == {str(name): 2}


def test_what_was_assigned_is_not_kept() -> None:
    _, a = fresh()
    value = [1]
    a["x"] = value
    value.append(2)
    assert a["x"] == [1]


def test_caching() -> None:
    store, a = fresh()
    assert a.cache
    a["x"] = 1
    store[".zattrs"] = b'{"q": 1}'
    assert a.asdict() == {"x": 1}
    a.refresh()
    assert a.asdict() == {"q": 1}
    store[".zattrs"] = b'{"r": 1}'
    a["s"] = 2  # a change is one of what is stored
    assert a.asdict() == {"r": 1, "s": 2}


def test_no_caching() -> None:
    store, a = fresh(cache_attrs=False)
    assert not a.cache
    a["x"] = 1
    store[".zattrs"] = b'{"q": 1}'
    assert a.asdict() == {"q": 1}
    a.refresh()
    assert dict(a) == {"q": 1}


def test_read_only() -> None:
    store, a = fresh(read_only=True)
    for attempt in (
        lambda: a.__setitem__("x", 1),
        lambda: a.__delitem__("x"),
        lambda: a.update(x=1),
        lambda: a.put({}),
    ):
        with pytest.raises(PermissionError):
            attempt()
    assert a.read_only
    assert ".zattrs" not in store


def test_on_a_plain_mapping() -> None:
    store = {"attrs": b'{"a": 1}'}
    a = Attributes(store, key="attrs", cache=False)
    a["x"] = 1
    assert json.loads(store["attrs"]) == dict(a) == {"a": 1, "x": 1}
    assert Attributes(store, key="attrs", cached_dict={"z": 1}).asdict() == {"z": 1}
    assert Attributes(store, key="attrs", cache=False, cached_dict={"z": 1}).asdict() == {"a": 1, "x": 1}


def test_names_complete_in_notebooks() -> None:
    _, a = fresh()
    a.update(b=1, a=2)
    assert a._ipython_key_completions_() == ["a", "b"]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("node", ["array", "group"])
def test_what_is_handed_out_is_a_copy(node: str, cache: bool, zarr_format: int) -> None:
    value = {"a": [1, {"b": [2]}], "c": {"d": "e"}}
    store: dict[str, bytes] = {}
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format, cache_attrs=cache)
    owner = root if node == "group" else root.create_dataset("z", shape=1)
    owner.attrs.put(value)
    found = [
        owner.attrs.asdict(),
        dict(owner.attrs),
        dict(owner.attrs.items()),
        {"a": owner.attrs["a"], "c": owner.attrs.get("c")},
        dict(zip(owner.attrs, owner.attrs.values(), strict=True)),
    ]
    for copy in found:
        assert copy == value
        copy["a"][1]["b"].append(3)
        copy["a"].append(4)
        copy["c"]["d"] = 5
        copy["new"] = 6
    value["a"].append("the caller's own object")  # type: ignore[attr-defined]
    assert owner.attrs.asdict() == {"a": [1, {"b": [2]}], "c": {"d": "e"}}
    assert zarrds.open(store, path="z" if node == "array" else None).attrs.asdict() == owner.attrs.asdict()
    owner.attrs["other"] = 1
    assert owner.attrs["a"] == [1, {"b": [2]}]


def test_attributes_that_the_caller_has_read_stay_his_own() -> None:
    given = {"a": [1]}
    attrs = Attributes({}, cached_dict=given)
    given["a"].append(2)
    attrs.asdict()["a"].append(3)
    assert (attrs["a"], given) == ([1], {"a": [1, 2]})


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
def test_attributes_of_several_nodes_are_read_in_one_batch(zarr_format: int, consolidated: bool) -> None:
    store = CountingStore(zarrds.MemoryStore())
    root = zarrds.group(store, zarr_format=zarr_format)
    nodes = [root.zeros("a", shape=3), root.create_group("b"), root.zeros("c", shape=3)]
    nodes[0].attrs.update(levels=[1, {"deep": [2]}], units="K")
    nodes[1].attrs["title"] = "b"
    zarrds.consolidate_metadata(store)
    source = ConsolidatedMetadataStore(store) if consolidated else store
    keys = [node.attrs.key for node in nodes]
    store.reset()
    found = read_attributes(source, keys)
    assert found == [{"levels": [1, {"deep": [2]}], "units": "K"}, {"title": "b"}, {}]
    assert store.reset().calls["get"] == (0 if consolidated else 1)
    found[0]["levels"][1]["deep"].append(3)  # a copy
    assert read_attributes(source, keys[:1])[0]["levels"] == [1, {"deep": [2]}]
    assert read_attributes(source, []) == []
