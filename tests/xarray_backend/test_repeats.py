"""Writes that are stopped: a reader meets no variable without dimensions, and a repeat completes them."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import xarray as xr

from tests.faults.failing import FailingStore, StoppedError, operations
from xarray_backend import open_zarrds, to_zarrds
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")

OLD = xr.Dataset({"u": ("x", np.arange(4))}, {"x": [5, 6, 7, 8]})
NEW = xr.Dataset({"v": ("x", np.arange(4.0), {"units": "m"}), "w": ("y", [1, 2])})


def written(*trees: xr.DataTree) -> MemoryStore:
    """Return a store in which the trees are written, one after the other."""
    store = MemoryStore()
    for tree in trees:
        to_zarrds(tree, store, mode="a")
    return store


@pytest.mark.parametrize("path", ["/", "/a", "/a/b"])
def test_a_repeat_completes_variables_that_mode_a_adds(path: str) -> None:
    old, new = xr.DataTree.from_dict({"/": OLD}), xr.DataTree.from_dict({path: NEW})
    expected = xr.open_datatree(written(old, new), engine="zarrds", consolidated=True).load()
    for nth in range(operations(lambda: written(old), lambda store: to_zarrds(new, store, mode="a"), reads=False)):
        store = written(old)
        with contextlib.suppress(StoppedError):
            to_zarrds(new, FailingStore(store, nth, forever=True, reads=False), mode="a")
        assert open_zarrds(store, consolidated=False).u.equals(OLD.u)
        to_zarrds(new, store, mode="a")
        xr.testing.assert_identical(xr.open_datatree(store, engine="zarrds", consolidated=True).load(), expected)
