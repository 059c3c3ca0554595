"""``ds.zarrds.info()``: how the variables of a dataset are stored."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.xarray_backend.samples import waves
from xarray_backend import open_zarrds, to_zarrds
from zarrds.storage import MemoryStore


@pytest.mark.parametrize("change", [lambda ds: ds, lambda ds: ds.isel(t=slice(1, 3)), lambda ds: ds.rename(u="w")])
@pytest.mark.parametrize("chunks", [None, {}])
def test_what_is_read_from_a_store(chunks, change, zarr_format):
    store = MemoryStore()
    encoding = {"u": {"chunks": (2, 3), **({"shards": (4, 6)} if zarr_format == 3 else {})}}
    to_zarrds(waves(), store, group="a/b", encoding=encoding)
    ds = change(xr.open_dataset(store, engine="zarrds", group="a/b", chunks=chunks))
    info = ds.assign(more=("t", np.zeros(ds.sizes["t"]))).zarrds.info()
    assert {variable.path for variable in info.variables} == {"a/b/u", "a/b/v", "a/b/label"}
    (u,) = [variable for variable in info.variables if variable.path == "a/b/u"]
    array = zarrds.open_group(store, path="a/b")["u"]
    assert (u.shape, u.chunks, u.shards) == ((8, 6), (2, 3), array.shards)
    assert (u.nbytes, u.stored) == (384, array.nbytes_stored)
    assert u.ratio == 384 / array.nbytes_stored
    for text in (repr(info), info._repr_html_()):
        assert "384 B" in text
        assert ("blosc" if zarr_format == 2 else "zstd") in text


def test_arrays_trees_and_what_is_in_memory(zarr_format):
    store = MemoryStore()
    to_zarrds(xr.DataTree.from_dict({"/": waves(), "/a": xr.Dataset({"<i>\x1b": ("z", np.zeros(3))})}), store)
    tree = xr.open_datatree(store, engine="zarrds")
    info = tree.zarrds.info()
    assert {variable.name for variable in info.variables} == {"u", "v", "label", "a/<i>\x1b"}
    for text in (repr(info), info._repr_html_()):
        assert "\x1b" not in text
    assert "<i>" not in info._repr_html_()
    assert [variable.name for variable in open_zarrds(store).u.zarrds.info().variables] == ["u"]
    assert waves().zarrds.info().variables == ()
