"""dask arrays written into a region of an array, again where a task failed, and with query planning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from zarrds.dask import from_zarr, to_zarr
from zarrds.errors import ArrayNotFoundError, BlockAlignmentError, ReadOnlyError, SelfOverwriteError

LAYOUTS: dict[str, dict[str, Any]] = {
    "v2": {"chunks": (4, 4)},
    "v3": {"chunks": (4, 4), "zarr_format": 3},
    "shards": {"chunks": (2, 2), "shards": (4, 4), "zarr_format": 3},
}


def array(store: Any, layout: str = "v2", shape: Any = (10, 9), **options: Any) -> zarrds.Array:
    z = zarrds.create(shape, store=store, dtype="i4", overwrite=True, **LAYOUTS[layout], **options)
    z[...] = -1
    return z


@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_region_is_written_as_numpy_does(layout: str, data: st.DataObject) -> None:
    z = array({}, layout)
    bounds = [sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in z.shape]
    region = tuple(slice(*b) for b in bounds)
    shape = tuple(stop - start for start, stop in bounds)
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    blocks = tuple(data.draw(st.integers(1, max(1, n))) for n in shape)
    x = da.from_array(values, chunks=blocks)
    expected = z[...]
    expected[region] = values
    assert to_zarr(x, z, region=region, align="rechunk") is not None
    np.testing.assert_array_equal(z[...], expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_that_meet_inside_a_chunk_of_the_array_are_refused(layout: str) -> None:
    z = array({}, layout)
    region = (slice(2, 10), slice(None))
    with pytest.raises(BlockAlignmentError, match="axis 0 meet at 6"):
        to_zarr(da.ones((8, 9), chunks=(4, 9)), z, region=region)
    assert (z[...] == -1).all()
    to_zarr(da.ones((8, 9), chunks=((2, 4, 2), (4, 5))), z, region=region)
    assert (z[2:] == 1).all()
    assert (z[:2] == -1).all()


@pytest.mark.parametrize("region", [slice(4, 8), (slice(4, 8),), (slice(-6, -2), slice(None)), (slice(4, 8), ...)])
def test_ways_to_say_a_region(region: Any, tmp_path: Path) -> None:
    array(str(tmp_path / "a"))
    z = to_zarr(da.ones((4, 9), chunks=4), str(tmp_path / "a"), region=region)
    assert (z[4:8] == 1).all()
    assert z[...].sum() == 4 * 9 - 6 * 9


def test_bad_regions_change_nothing(tmp_path: Path) -> None:
    z = array(str(tmp_path / "a"))
    x = da.ones((4, 9), chunks=4)
    for region in [(slice(0, 8, 2),), (0, slice(None)), ([0, 1, 2, 3],), (slice(0, 4),) * 3, "all"]:
        with pytest.raises(ValueError, match="region must be slices"):
            to_zarr(x, z, region=region)
    with pytest.raises(ValueError, match=r"the region .* of shape"):
        to_zarr(x, z, region=slice(0, 5))
    with pytest.raises(ValueError, match=r"the region .* of shape"):
        to_zarr(x, z, region=slice(8, 12))
    with pytest.raises(ArrayNotFoundError):
        to_zarr(x, str(tmp_path / "b"), region=slice(0, 4))
    with pytest.raises(TypeError, match="options of creation"):
        to_zarr(x, str(tmp_path / "a"), region=slice(0, 4), chunks=2)
    with pytest.raises(ReadOnlyError):
        to_zarr(x, zarrds.open_array(str(tmp_path / "a"), mode="r"), region=slice(0, 4))
    with pytest.raises(SelfOverwriteError):
        to_zarr(from_zarr(z)[:8][::-1], z, region=slice(0, 8))
    assert (z[...] == -1).all()
    assert not (tmp_path / "b").exists()


def test_an_unknown_option_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"to_zarr\(\) got an unexpected keyword argument 'nonsense'"):
        to_zarr(da.ones(4), str(tmp_path / "a"), nonsense=1)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("lazily", [True, False])
def test_a_task_that_failed_is_repeated_by_a_cluster(cluster_client: Any, tmp_path: Path, lazily: bool) -> None:
    def failing(block: Any, marker: str) -> Any:
        try:
            open(marker, "x").close()
        except FileExistsError:
            return block
        raise OSError("the first time")

    x = da.ones(8, chunks=4).map_blocks(failing, str(tmp_path / f"marker-{lazily}"), dtype="f8", meta=np.empty(0))
    found = to_zarr(x, str(tmp_path / "a"), retries=2, compute=not lazily)
    if lazily:
        (found,) = dask.compute(found)
    assert found[:].tolist() == [1] * 8


@pytest.mark.slow
def test_query_planning_on_and_off(tmp_path: Path) -> None:
    code = """
import sys, dask
dask.config.set({"array.query-planning": sys.argv[1] == "on"})
import dask.array as da, numpy as np, zarrds, xarray as xr
from zarrds.dask import from_zarr, to_zarr
from zarrds.errors import BlockShapeError
from xarray_backend import open_zarrds, to_zarrds
where = sys.argv[2] + sys.argv[1]
x = da.from_array(np.arange(64).reshape(8, 8), chunks=4)
z = to_zarr(x + 1, where, retries=2)
assert (z[:] == np.arange(64).reshape(8, 8) + 1).all()
assert (from_zarr(z, chunks={0: 8}).compute() == z[:]).all()
to_zarr((x * 0)[4:], z, region=slice(4, 8))
assert z[:].sum() == np.arange(1, 33).sum()
job = to_zarr(x.rechunk((3, 8)), where + "b", chunks=4, align="rechunk", compute=False)
assert (dask.compute(job)[0][:] == np.arange(64).reshape(8, 8)).all()
try:
    to_zarr(x.map_blocks(lambda b: b[:1], dtype=x.dtype), where + "c")
except BlockShapeError:
    print("refused")
one, other = zarrds.array([1, 2, 3]), zarrds.array([4, 5, 6])
assert (from_zarr(one) + from_zarr(other)).compute().tolist() == [5, 7, 9]
assert (da.from_array(one) + da.from_array(other)).compute().tolist() == [5, 7, 9]
ds = xr.Dataset({"v": (("a", "b"), x)})
to_zarrds(ds, where + "d")
to_zarrds(open_zarrds(where + "d") + 1, where + "e", compute=False).compute()
assert (open_zarrds(where + "e").v == x + 1).all()
"""
    for setting in ("on", "off"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, setting, str(tmp_path / "a")], capture_output=True, text=True
        )
        assert done.stdout == "refused\n", done.stderr
