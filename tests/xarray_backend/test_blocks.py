"""Blocks of dask arrays, checked where they are written."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import BlockShapeError

pytestmark = pytest.mark.usefixtures("zarr_format")


def lengths_of(found):
    """A function of blocks that returns as many rows."""
    return lambda block: np.ones((found, *block.shape[1:]))


@pytest.mark.parametrize("way", [{"mode": "w"}, {"mode": "a"}, {"append_dim": "t"}, {"region": {"t": slice(0, 20)}}])
@pytest.mark.parametrize("found", [0, 5, 11, 20])
def test_a_block_of_another_length(way, found):
    store: dict[str, bytes] = {}
    to_zarrds(xr.Dataset({"v": (("t", "x"), np.zeros((20, 3)))}), store, encoding={"v": {"chunks": (10, 3)}})
    before = {key: value for key, value in store.items() if not key.endswith((".zarray", ".json", ".zmetadata"))}
    lying = da.zeros((20, 3), chunks=(10, 3)).map_blocks(lengths_of(found), dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(BlockShapeError, match=rf"(?s)block \(\d, 0\).*'v'.*\(10, 3\).*\({found}, 3\)"):
        to_zarrds(xr.Dataset({"v": (("t", "x"), lying)}), store, **way)
    if way != {"mode": "w"}:
        assert {key: value for key, value in store.items() if key in before} == before


def test_other_ways_of_making_blocks():
    ds = xr.Dataset({"v": (("t", "x"), np.zeros((20, 3)))}).chunk(t=10)
    halved = xr.apply_ufunc(lambda block: block[..., :2], ds.v, dask="parallelized", output_dtypes=[float])
    fewer = xr.map_blocks(lambda part: part, ds, template=ds)
    dims = ds.v.data.map_blocks(lambda block: block[0], dtype=float, meta=np.empty((0, 0)))
    for lying in (halved, xr.DataArray(dims, dims=("t", "x"), name="v")):
        with pytest.raises(ValueError, match="shape"):
            to_zarrds(lying.to_dataset(name="v"), {})
    to_zarrds(fewer, {})


@pytest.mark.parametrize("chunks", [(2, 2, 5), (2, 2, 1), (0, 2, 3), (3, 0, 2), (1, 3, 4), (0,), (2, 2, 0)])
def test_blocks_of_any_promised_lengths_are_written(chunks):
    ds = xr.Dataset({"v": ("t", da.arange(sum(chunks), chunks=(chunks,)))})
    store: dict[str, bytes] = {}
    to_zarrds(ds, store, encoding={"v": {"chunks": (1,)}})
    np.testing.assert_array_equal(open_zarrds(store).v, np.arange(sum(chunks)))
