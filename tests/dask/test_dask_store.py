"""Several dask arrays stored by one job; blocks for shards; `Array.to_dask`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

import zarrds
from tests.dask.test_dask_rechunk import ramp
from zarrds.dask import from_zarr, store, to_zarr
from zarrds.errors import ArgumentError, BlockAlignmentError, ReadOnlyError, SelfOverwriteError


def test_what_is_shared_is_computed_once() -> None:
    computed = []

    def note(block: Any) -> Any:
        computed.append(block.shape)
        return block * 2

    x = da.from_array(ramp(60, 40), chunks=(10, 40)).map_blocks(note, dtype="i4", meta=np.empty((0, 0), "i4"))
    targets = [zarrds.zeros((60, 40), chunks=(10, 20), dtype="i8") for _ in range(2)]
    targets.append(zarrds.zeros(40, chunks=40, dtype="i8"))
    found = store([x + 1, x - 1, x.sum(axis=0)], targets)
    assert len(computed) == 6
    for array, expected in zip(
        found, [ramp(60, 40) * 2 + 1, ramp(60, 40) * 2 - 1, (ramp(60, 40) * 2).sum(0)], strict=True
    ):
        np.testing.assert_array_equal(array[:], expected)


def test_regions_of_one_target(tmp_path: Path) -> None:
    z = zarrds.zeros((60, 40), chunks=(10, 40), dtype="i4", store=str(tmp_path / "a"))
    x = da.from_array(ramp(60, 40), chunks=(10, 40))
    regions = [slice(30, 60), (slice(0, 25), slice(None))]
    job = store([x[:30], x[30:55]], [z, z], regions=regions, compute=False)
    assert not z[:].any()
    job.compute(scheduler="threads")
    np.testing.assert_array_equal(z[30:], ramp(60, 40)[:30])
    np.testing.assert_array_equal(z[:25], ramp(60, 40)[30:55])
    with pytest.raises(BlockAlignmentError, match="share a chunk"):
        store([x[:30], x[30:]], [z, z], regions=[slice(5, 35), slice(30, 60)], align="rechunk")


def test_single_arrays_and_values_in_memory() -> None:
    z = zarrds.zeros(30, chunks=10, dtype="i8")
    (found,) = store(np.arange(30), z)
    np.testing.assert_array_equal(found[:], np.arange(30))
    assert store([], []) == []


def test_refused_calls_write_nothing() -> None:
    z = zarrds.array(ramp(60, 40), chunks=(10, 40))
    x = from_zarr(z)
    with pytest.raises(SelfOverwriteError):
        store([x[::-1]], [z])
    with pytest.raises(ArgumentError, match="as many"):
        store([x, x], [z])
    with pytest.raises(TypeError, match="to_zarr"):
        store(x, {})
    with pytest.raises(BlockAlignmentError):
        store(x.rechunk((7, 40)), zarrds.zeros((60, 40), chunks=(10, 40)))
    with pytest.raises(ReadOnlyError):
        store(x, zarrds.open_array(z.store, mode="r"))
    np.testing.assert_array_equal(z[:], ramp(60, 40))


def test_blocks_for_shards(tmp_path: Path) -> None:
    z = zarrds.array(ramp(60, 40), chunks=(5, 4), shards=(20, 40), zarr_format=3, store=str(tmp_path / "a"))
    assert from_zarr(z).chunksize == (5, 4)
    assert from_zarr(z, chunks="shards").chunksize == (20, 40)
    with dask.config.set({"array.chunk-size": 2 * 20 * 40 * 4}):
        assert from_zarr(z, chunks="auto").chunksize == (40, 40)
    with dask.config.set({"array.chunk-size": 20 * 40 * 4 // 3}):
        blocks = from_zarr(z, chunks="auto").chunksize
    assert np.prod(blocks) * 4 <= 20 * 40 * 4 // 3
    assert [n % b for n, b in zip((20, 40), blocks, strict=True)] == [0, 0]
    x = from_zarr(z, chunks="shards") + 1
    found = to_zarr(x, str(tmp_path / "b"), chunks=(5, 4), shards=(20, 40), zarr_format=3)
    np.testing.assert_array_equal(found[:], ramp(60, 40) + 1)


def test_to_dask() -> None:
    z = zarrds.array(ramp(60, 40), chunks=(5, 40))
    assert z.to_dask().numblocks == (1, 1)
    assert z.to_dask("store").numblocks == (12, 1)
    np.testing.assert_array_equal(z.to_dask({0: 30}).compute(), ramp(60, 40))
