"""Members of a document that may be ignored are kept by whatever changes, copies or converts an array."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask

MEMBER = {"must_understand": False, "x": [1]}


@pytest.fixture
def store() -> dict[str, Any]:
    made: dict[str, Any] = {}
    root = zarrds.open_group(made, mode="w", zarr_format=3)
    root.create_dataset("u", data=np.arange(8), chunks=2)
    root.create_group("g/inner")
    for key in ("zarr.json", "u/zarr.json", "g/zarr.json", "g/inner/zarr.json"):
        made[key] = json.dumps({**json.loads(made[key]), "acme": MEMBER}).encode()
    return made


def member(store: dict[str, Any], key: str) -> Any:
    return json.loads(store[key]).get("acme")


def test_changes_keep_them(store: dict[str, Any]) -> None:
    group = zarrds.open_group(store, mode="r+")
    group["u"].resize(4)
    group["u"].append(np.ones(2))
    group["u"].attrs["a"] = 1
    group.attrs["b"] = 2
    zarrds.consolidate_metadata(store)
    assert member(store, "zarr.json") == member(store, "u/zarr.json") == MEMBER
    assert json.loads(store["zarr.json"])["consolidated_metadata"]["metadata"]["u"]["acme"] == MEMBER


def test_copies_keep_them(store: dict[str, Any]) -> None:
    copied: dict[str, Any] = {}
    dest = zarrds.open_group(copied, mode="w", zarr_format=3)
    group = zarrds.open_group(store, mode="r")
    zarrds.copy(group["u"], dest, name="v")
    zarrds.copy_all(group, dest)
    zarrds.dask.copy(group["u"], dest, name="w").compute(scheduler="sync")
    assert member(copied, "u/zarr.json") == member(copied, "v/zarr.json") == member(copied, "w/zarr.json") == MEMBER
    old = zarrds.open_group({}, mode="w", zarr_format=2)
    zarrds.copy(group["u"], old, name="v")
    assert old["v"][:].tolist() == group["u"][:].tolist()


@pytest.mark.parametrize("pickled", [False, True])
def test_copies_of_groups_keep_them(pickled: bool, store: dict[str, Any]) -> None:
    copied: dict[str, Any] = {}
    dest = zarrds.open_group(copied, mode="w", zarr_format=3)
    group = zarrds.open_group(store, mode="r")
    if pickled:
        group = pickle.loads(pickle.dumps(group))
    zarrds.copy(group["g"], dest, name="a")
    zarrds.copy_all(group, dest)
    zarrds.dask.copy(group["g"], dest, name="b").compute(scheduler="sync")
    copied["a/zarr.json"] = copied["a/zarr.json"].replace(b'"acme"', b'"other"')
    zarrds.copy(group["g"], dest, name="a", if_exists="skip")  # a group that exists keeps its document
    assert member(copied, "a/zarr.json") is None
    for path in ("g", "g/inner", "a/inner", "b", "b/inner"):
        assert member(copied, f"{path}/zarr.json") == MEMBER
    old = zarrds.open_group({}, mode="w", zarr_format=2)
    zarrds.copy(group["g"], old, name="g")
    assert "inner" in old["g"]


def test_conversions_keep_them(store: dict[str, Any]) -> None:
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    zarrds.convert(store, old, to=2)
    zarrds.convert(old, new, to=3)
    assert member(new, "u/zarr.json") == member(new, "zarr.json") == MEMBER
