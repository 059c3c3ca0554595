"""Options of reading mean the same in each way of opening, with dask and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.xarray_backend.samples import chunk_key
from xarray_backend import ChunkCache, concat_stores, open_zarrds, to_zarrds
from zarrds.errors import ArgumentError, MissingChunkError

VALUES = np.arange(24.0).reshape(6, 4) + 1
COUNTS = [1, 2, 0, 0, 3, 4]

WAYS: dict[str, Callable[..., xr.Dataset]] = {
    "open_dataset": lambda paths, **options: xr.open_dataset(paths[0], engine="zarrds", **options),
    "open_zarrds": lambda paths, **options: open_zarrds(paths[0], "g", **options),
    "open_datatree": lambda paths, **options: xr.open_datatree(paths[0], engine="zarrds", **options)["g"].to_dataset(),
    "open_mfdataset": lambda paths, **options: xr.open_mfdataset(
        paths, engine="zarrds", combine="nested", concat_dim="t", **options
    ),
    "concat_stores": lambda paths, **options: concat_stores(paths, "t", **options),
}


@pytest.fixture
def paths(tmp_path: Path, zarr_format: int) -> list[str]:
    """Two stores with a group each; where the format has them, the chunks of `u` are in shards."""
    shards = {"shards": (4, 4)} if zarr_format == 3 else {}
    encoding = {"u": {"chunks": (2, 2), **shards}, "n": {"_FillValue": 0 if zarr_format == 2 else None}}
    found = [str(tmp_path / f"{number}.zarr") for number in range(2)]
    for number, path in enumerate(found):
        ds = xr.Dataset(
            {"u": (("t", "x"), VALUES), "n": ("t", np.array(COUNTS, "i4"))}, {"t": np.arange(6) + 6 * number}
        )
        to_zarrds(xr.DataTree.from_dict({"/": ds, "/g": ds}), path, encoding={"/": encoding, "/g": encoding})
    return found


def ways() -> list[Any]:
    """Each way, lazily with dask and without; `open_mfdataset` is always with dask."""
    found = [pytest.param(name, chunks, id=f"{name}-{chunks}") for name in WAYS for chunks in (None, {})]
    return [one for one in found if one.values != ("open_mfdataset", None)]


@pytest.mark.parametrize(("way", "chunks"), ways())
def test_fill_values(paths: list[str], way: str, chunks: Any, zarr_format: int) -> None:
    for asked, masked in ((None, zarr_format == 2), (False, False), (True, True)):
        found = WAYS[way](paths, chunks=chunks, mask_fill_value=asked).n[:6]
        assert found.dtype == ("f8" if masked else "i4")
        np.testing.assert_array_equal(np.isnan(found), [masked and count == 0 for count in COUNTS])


@pytest.mark.parametrize(("way", "chunks"), ways())
def test_absent_chunks(paths: list[str], way: str, chunks: Any, zarr_format: int) -> None:
    for path in paths:
        for group in ("", "g/"):
            store = zarrds.open_group(path, mode="r+").store
            del store[chunk_key(f"{group}u", 0, 0)]
    assert np.isnan(WAYS[way](paths, chunks=chunks).u[0, 0])
    with pytest.raises(MissingChunkError):
        WAYS[way](paths, chunks=chunks, read_missing="raise").u.compute()
    with pytest.raises(ValueError, match="read_missing must be"):
        WAYS[way](paths, chunks=chunks, read_missing="maybe")


@pytest.mark.parametrize("way", WAYS)
def test_blocks_of_shards(paths: list[str], way: str, zarr_format: int) -> None:
    assert WAYS[way](paths, chunks={}).u.isel(t=slice(6)).chunks == ((2, 2, 2), (2, 2))
    expected = ((4, 2), (4,)) if zarr_format == 3 else ((2, 2, 2), (2, 2))
    assert WAYS[way](paths, chunks={}, shards_as_chunks=True).u.isel(t=slice(6)).chunks == expected


@pytest.mark.parametrize(("way", "chunks"), ways())
def test_a_cache_serves_the_second_read(paths: list[str], way: str, chunks: Any) -> None:
    cache = ChunkCache(2**20)
    takes_it_alone = way in ("open_zarrds", "concat_stores")
    options = {"cache": cache} if takes_it_alone else {"cache": False, "chunk_cache": cache}
    found = WAYS[way](paths, chunks=chunks, **options).u[:6, 0]
    for hits in (False, True):
        np.testing.assert_array_equal(found.copy(deep=False).compute(), VALUES[:, 0])
        assert bool(cache.hits) is hits


@pytest.mark.parametrize("way", ["open_zarrds", "concat_stores"])
def test_chunks_are_lengths_or_words(paths: list[str], way: str) -> None:
    lengths: list[Any] = [6, np.int64(6), {"t": np.int64(6), "x": -1}]
    for chunks in lengths:
        assert WAYS[way](paths[:1], chunks=chunks).u.chunks == ((6,), (4,))
    wrong: list[Any] = [True, False, 2.5, (4, 4), [4, 4], np.array([4, 4]), "100MiB", "store"]
    for chunks in wrong:
        with pytest.raises(ArgumentError, match="chunks must be 'stored', 'auto', a number"):
            WAYS[way](paths[:1], chunks=chunks)
