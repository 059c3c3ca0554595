"""Bad input to groups and convenience functions: the class of each error, and a store that is as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds import errors
from zarrds.hierarchy import Group

from .places import STORES, content

GroupCase = tuple[Callable[[Group], Any], type[Exception]]

CASES: dict[str, GroupCase] = {
    "a member that is not there": (lambda g: g["nope"], KeyError),
    "a member of an array": (lambda g: g["arr/x"], KeyError),
    "an attribute that is no member": (lambda g: g.nope, AttributeError),
    "a name that is a number": (lambda g: g[3], KeyError),
    "a name that leads out": (lambda g: g[".."], ValueError),
    "a name that leads out, further in": (lambda g: g["sub/../../x"], ValueError),
    "a document as a member": (lambda g: g[".zgroup"], KeyError),
    "deleting what is not there": (lambda g: g.__delitem__("nope"), KeyError),
    "deleting below an array": (lambda g: g.__delitem__("arr/x"), KeyError),
    "a group where one is": (lambda g: g.create_group("sub"), errors.ContainsGroupError),
    "a group where an array is": (lambda g: g.create_group("arr"), errors.ContainsArrayError),
    "a group below an array": (lambda g: g.create_group("arr/x"), errors.ContainsArrayError),
    "a group far below an array": (lambda g: g.create_group("arr/x/y"), errors.ContainsArrayError),
    "a group at the root": (lambda g: g.create_group("/"), errors.ContainsGroupError),
    "a group with an unknown option": (lambda g: g.create_group("new", colour="red"), TypeError),
    "a required group that is an array": (lambda g: g.require_group("arr"), errors.ContainsArrayError),
    "an array where one is": (lambda g: g.zeros("arr", shape=3), errors.ContainsArrayError),
    "an array where a group is": (lambda g: g.zeros("sub", shape=3), errors.ContainsGroupError),
    "an array below an array": (lambda g: g.zeros("arr/x", shape=3), errors.ContainsArrayError),
    "an array without a shape": (lambda g: g.create_dataset("new"), TypeError),
    "an array with a negative shape": (lambda g: g.zeros("new", shape=-1), ValueError),
    "an array with text for a shape": (lambda g: g.zeros("new", shape="abc"), (TypeError, ValueError)),
    "an array with a wrong dtype": (lambda g: g.zeros("new", shape=3, dtype="nope"), TypeError),
    "an array with chunks of another rank": (lambda g: g.zeros("new", shape=3, chunks=(1, 1)), ValueError),
    "an array with no compressor": (lambda g: g.zeros("new", shape=3, compressor="zip"), ValueError),
    "an array with a fill that does not fit": (
        lambda g: g.full("new", "x", shape=3, dtype="i4"),
        ValueError,
    ),
    "an array of objects": (lambda g: g.create_dataset("new", data=[object()]), ValueError),
    "an array with another store": (lambda g: g.create_dataset("new", shape=3, store={}), TypeError),
    "an array with another path": (lambda g: g.create_dataset("new", shape=3, path="x"), TypeError),
    "an array with a bad separator": (lambda g: g.zeros("new", shape=3, dimension_separator="_"), ValueError),
    "an overwrite with a wrong dtype": (lambda g: g.zeros("arr", shape=3, dtype="nope", overwrite=True), TypeError),
    "an overwrite with a bad fill": (
        lambda g: g.full("sub", "x", shape=3, dtype="i4", overwrite=True),
        ValueError,
    ),
    "an assignment of objects": (lambda g: g.__setitem__("arr", [object()]), ValueError),
    "an assignment of itself": (lambda g: g.__setitem__("arr", g["arr"]), errors.SelfOverwriteError),
    "a required array of another shape": (lambda g: g.require_dataset("arr", shape=4, dtype="i8"), TypeError),
    "a required array of no dtype": (lambda g: g.require_dataset("arr", shape=3, dtype="(1,"), ValueError),
    "a required array of another dtype": (lambda g: g.require_dataset("arr", shape=3, dtype="c16"), TypeError),
    "a required array of an inexact dtype": (
        lambda g: g.require_dataset("arr", shape=3, dtype="i4", exact=True),
        TypeError,
    ),
    "a required array that is a group": (lambda g: g.require_dataset("sub", shape=3), errors.ContainsGroupError),
    "a required array without a shape": (lambda g: g.require_dataset("arr"), TypeError),
    "moving what is not there": (lambda g: g.move("nope", "x"), errors.PathNotFoundError),
    "moving onto a group": (lambda g: g.move("arr", "sub"), errors.ContainsGroupError),
    "moving onto an array": (lambda g: g.move("sub", "arr"), errors.ContainsArrayError),
    "moving below an array": (lambda g: g.move("sub", "arr/x"), errors.ContainsArrayError),
    "moving into itself": (lambda g: g.move("sub", "sub/x"), ValueError),
    "moving the root": (lambda g: g.move("/", "x"), ValueError),
    "attributes that are no JSON": (lambda g: g.attrs.__setitem__("x", object()), TypeError),
    "attributes that hold a set": (lambda g: g.attrs.update(a=1, x={1}), TypeError),
    "attributes put that are no JSON": (lambda g: g.attrs.put({"a": b"x"}), TypeError),
    "deleting an attribute that is not there": (lambda g: g.attrs.__delitem__("nope"), KeyError),
    "reading an attribute that is not there": (lambda g: g.attrs["nope"], KeyError),
    "a visitor that cannot be called": (lambda g: g.visit(3), TypeError),
    "a visitor that fails": (lambda g: g.visit(lambda name: 1 / 0), ZeroDivisionError),
    "hashing": (hash, TypeError),
    "a tree of a number": (lambda g: repr(zarrds.tree(3)), errors.NotAStoreError),
    "opening with a bad mode": (lambda g: zarrds.open_group(g.store, mode="rw"), ValueError),
    "opening what is not there": (lambda g: zarrds.open_group(g.store, "r", path="x"), errors.GroupNotFoundError),
    "opening an array as a group": (lambda g: zarrds.open_group(g.store, path="arr"), errors.ContainsArrayError),
    "opening a group as an array": (lambda g: zarrds.open_array(g.store, path="sub"), errors.ContainsGroupError),
    "opening a number": (lambda g: zarrds.open_group(3), TypeError),
    "a format that there is not": (lambda g: zarrds.group(g.store, path="x", zarr_version=7), ValueError),
    "consolidated metadata that is not there": (lambda g: zarrds.open_consolidated(g.store), KeyError),
    "consolidated metadata to be created": (lambda g: zarrds.open_consolidated(g.store, mode="w"), ValueError),
    "saving nothing": (lambda g: zarrds.save(g.store), ValueError),
    "saving two arrays of one name": (lambda g: zarrds.save(g.store, [1], arr_0=[2]), ValueError),
    "saving into nowhere": (lambda g: zarrds.save(None, [1]), TypeError),
    "loading from nowhere": (lambda g: zarrds.load(None), TypeError),
}


@pytest.fixture(params=["memory", "directory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Group:
    g = zarrds.open_group(STORES[request.param](tmp_path), mode="w")
    g.create_dataset("arr", data=np.arange(3))
    g.create_dataset("sub/inner", data=np.arange(3))
    g.attrs["a"] = 0
    return g


@pytest.mark.parametrize("name", CASES)
def test_an_error_and_nothing_else(root: Group, name: str) -> None:
    attempt, kind = CASES[name]
    before = content(root.store)
    with pytest.raises(kind):
        attempt(root)
    assert content(root.store) == before
    assert dict(root.attrs) == {"a": 0}
    assert list(root) == ["arr", "sub"]


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 30
