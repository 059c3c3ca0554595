"""The options of an open array are one value: functions for users have its names and defaults, members inherit it."""

from __future__ import annotations

import inspect
import pickle
from collections import defaultdict
from collections.abc import Callable
from dataclasses import fields
from threading import RLock
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._metadata import ArrayRequest
from zarrds.core import OpenOptions
from zarrds.errors import ZarrdsError

DOORS: list[Callable[..., Any]] = [
    zarrds.Array,
    zarrds.Group,
    zarrds.create,
    zarrds.open_array,
    zarrds.group,
    zarrds.open_group,
]


@pytest.mark.parametrize("door", DOORS)
def test_functions_for_users_have_the_defaults_of_the_value(door: Callable[..., Any]) -> None:
    parameters = inspect.signature(door).parameters
    shared = {name: value for name, value in OpenOptions()._asdict().items() if name in parameters}
    assert len(shared) >= 4
    assert {name: parameters[name].default for name in shared} == shared


@pytest.mark.parametrize("door", [zarrds.create, zarrds.open_array])
def test_functions_that_create_arrays_have_all_options_and_the_defaults_of_a_request(
    door: Callable[..., Any],
) -> None:
    parameters = inspect.signature(door).parameters
    missing = set(OpenOptions._fields) - set(parameters)
    assert missing == ({"read_only"} if door is zarrds.open_array else set())
    known = {field.name: field.default for field in fields(ArrayRequest) if field.name in parameters}
    del known["shape"]
    assert {name: parameters[name].default for name in known} == {**known, "fill_value": 0}


def test_the_value_is_frozen() -> None:
    with pytest.raises(AttributeError):
        OpenOptions().read_only = True  # type: ignore[misc]


def test_members_have_the_options_of_their_group() -> None:
    chunks: dict[str, bytes] = {}
    lock = zarrds.ThreadSynchronizer()
    store: dict[str, bytes] = {}
    zarrds.group(store, chunk_store=chunks).zeros("g/a", shape=4, chunks=2)[:] = 1
    root = zarrds.Group(store, read_only=True, chunk_store=chunks, cache_attrs=False, synchronizer=lock)
    for member in (root["g"], root["g/a"], dict(root.items())["g"]["a"]):
        assert member.read_only
        assert member.synchronizer is lock
        assert not member.attrs.cache
    np.testing.assert_array_equal(root["g/a"][:], 1)


def test_options_travel_with_an_array_and_a_group() -> None:
    z = zarrds.create(4, store={}, write_empty_chunks=False, read_missing="raise", cache_attrs=False)
    again = pickle.loads(pickle.dumps(z))
    assert (again.write_empty_chunks, again.attrs.cache) == (False, False)
    with pytest.raises(zarrds.errors.MissingChunkError):
        again[:]
    assert not pickle.loads(pickle.dumps(zarrds.group({}, cache_attrs=False))).attrs.cache


@pytest.mark.parametrize("keyword", ["store", "path", "chunk_store"])
def test_a_group_creates_arrays_in_its_own_store(keyword: str) -> None:
    with pytest.raises(TypeError, match=keyword):
        zarrds.group().zeros("a", shape=1, **{keyword: {}})


BAD_OPTIONS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"synchronizer": {}}, TypeError),
    ({"synchronizer": 3}, TypeError),
    ({"read_missing": "error"}, ValueError),
    ({"read_missing": None}, ValueError),
]


@pytest.mark.parametrize(("option", "error"), BAD_OPTIONS, ids=str)
def test_options_that_would_fail_later_are_refused_before_anything_is_written(
    option: dict[str, Any], error: type[Exception]
) -> None:
    store: dict[str, bytes] = {}
    for make in (
        lambda: zarrds.create(3, store=store, **option),
        lambda: zarrds.array([1, 2], store=store, **option),
        lambda: zarrds.open(store, mode="w", shape=3, **option),
        lambda: zarrds.open_array(store, mode="a", shape=3, dtype="i4", **option),
    ):
        with pytest.raises(error) as caught:
            make()
        assert isinstance(caught.value, ZarrdsError)
        assert next(iter(option)) in str(caught.value)
        assert store == {}
    z = zarrds.zeros(3, store=store)
    with pytest.raises(error):
        zarrds.Array(store, **option)
    with pytest.raises(error):
        zarrds.open(store, mode="r", **option)
    if "read_missing" in option:
        with pytest.raises(error):
            zarrds.Array.from_source(z.source(), **option)
    else:
        with pytest.raises(error):
            zarrds.group(store, path="g", **option)
        assert list(store) == [".zarray"]


def test_locks_may_come_from_a_dict_that_makes_them() -> None:
    z = zarrds.zeros(3, chunks=2, synchronizer=defaultdict(RLock))
    z[:] = 1
    assert sorted(z.synchronizer) == ["0", "1"]
