"""Shards in dask jobs: a shard is written by one task, whole, whatever the chunks inside it."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.errors import BlockAlignmentError

SHAPE, SHARDS, CHUNKS = (40, 60), (20, 30), (5, 10)
DATA = np.arange(2400).reshape(SHAPE)


def stored(place, **options):
    z = zarrds.create(SHAPE, chunks=CHUNKS, shards=SHARDS, dtype="i8", store=place, zarr_format=3, **options)
    z[...] = DATA
    return z


def test_blocks_that_would_split_a_shard_are_refused(tmp_path):
    fits, splits = da.from_array(DATA, chunks=SHARDS), da.from_array(DATA, chunks=CHUNKS)
    options = {"chunks": CHUNKS, "shards": SHARDS, "zarr_format": 3}
    with pytest.raises(BlockAlignmentError):
        zarrds.dask.to_zarr(splits, str(tmp_path / "a"), **options)
    assert not (tmp_path / "a").exists()
    z = zarrds.dask.to_zarr(fits, str(tmp_path / "a"), **options)
    assert (z.chunks, z.shards) == (CHUNKS, SHARDS)
    np.testing.assert_array_equal(z[...], DATA)
    z = zarrds.dask.to_zarr(splits, str(tmp_path / "b"), align="rechunk", **options)
    np.testing.assert_array_equal(z[...], DATA)
    with pytest.raises(BlockAlignmentError):
        zarrds.dask.to_zarr(splits + 1, z)
    zarrds.dask.to_zarr(fits + 1, z)
    np.testing.assert_array_equal(z[...], DATA + 1)


@pytest.mark.parametrize("chunks", [CHUNKS, (20, 60), (7, 13)])
def test_reading_in_blocks_of_any_shape(tmp_path, chunks):
    z = stored(str(tmp_path / "a"))
    np.testing.assert_array_equal(zarrds.dask.from_zarr(z, chunks=chunks).compute(), DATA)
    assert zarrds.dask.from_zarr(z).chunksize == CHUNKS


@pytest.mark.parametrize("max_mem", ["1MB", "40kB"])
def test_rechunking_from_and_to_shards(tmp_path, max_mem):
    z = stored(str(tmp_path / "a"), compressors=[{"name": "gzip", "configuration": {"level": 2}}])
    options = {"shards": (40, 14)}
    job = zarrds.dask.rechunk(z, str(tmp_path / "b"), chunks=(4, 7), max_mem=max_mem, target_options=options)
    found = job.compute()
    assert (found.chunks, found.shards) == ((4, 7), (40, 14))
    assert found.compressor == z.compressor
    np.testing.assert_array_equal(found[...], DATA)
    plain = zarrds.dask.rechunk(found, str(tmp_path / "c"), chunks=(40, 7), max_mem=max_mem).compute()
    assert (plain.chunks, plain.shards) == ((40, 7), None)
    np.testing.assert_array_equal(plain[...], DATA)


def test_each_shard_is_set_once(tmp_path, monkeypatch):
    sets = []
    own = zarrds.DirectoryStore.set_many
    monkeypatch.setattr(
        zarrds.DirectoryStore, "set_many", lambda self, items: (sets.extend(k for k, _ in items), own(self, items))[1]
    )
    z = stored(str(tmp_path / "a"))
    sets.clear()
    with dask.config.set(scheduler="sync"):
        job = zarrds.dask.rechunk(
            z, str(tmp_path / "b"), chunks=(10, 6), max_mem="1MB", target_options={"shards": (20, 12)}
        )
        job.compute()
    shards = [key for key in sets if key.startswith("c/")]
    assert len(shards) == len(set(shards)) == 10


def test_copies_keep_the_bytes(tmp_path):
    z = stored(str(tmp_path / "a"))
    zarrds.dask.copy_store(str(tmp_path / "a"), str(tmp_path / "b")).compute()
    for key in ("0/0", "0/1", "1/0", "1/1"):
        assert (tmp_path / "b" / "c" / key).read_bytes() == (tmp_path / "a" / "c" / key).read_bytes()
    np.testing.assert_array_equal(zarrds.open(str(tmp_path / "b"))[...], z[...])
