"""Tasks see what was written before them, whatever is kept in memory."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import pytest

import zarrds
import zarrds.dask
from zarrds.storage import LRUStoreCache


def ones(store: object) -> zarrds.Array:
    array = zarrds.create(10, chunks=5, dtype="i4", store=store)
    array[:] = 1
    return array


@pytest.mark.parametrize("kind", ["memory", "directory", "consolidated"])
def test_tasks_and_arrays_share_a_cache(tmp_path: Path, kind: str) -> None:
    cache = LRUStoreCache({} if kind == "memory" else str(tmp_path), max_size=None)
    array = ones(cache)
    if kind == "consolidated":
        group = zarrds.group(cache, overwrite=True)
        group.create_dataset("x", shape=10, chunks=5, dtype="i4")
        zarrds.consolidate_metadata(cache)
        array = zarrds.open_consolidated(cache)["x"]
        array[:] = 1
    x = zarrds.dask.from_zarr(array)
    assert x.compute(scheduler="threads").tolist() == [1] * 10
    array[:] = 2
    assert x.compute(scheduler="threads").tolist() == [2] * 10
    if kind != "consolidated":
        zarrds.dask.to_zarr(da.full(10, 3, chunks=5, dtype="i4"), array)
        assert array[:].tolist() == [3] * 10


def test_what_a_batch_holds_is_stored_before_tasks_run(tmp_path: Path) -> None:
    array = ones(str(tmp_path / "a.zarr"))
    with array.batch():
        array[:] = 2
        assert zarrds.dask.from_zarr(array).compute(scheduler="threads").tolist() == [2] * 10
        array[0] = 5
        zarrds.dask.to_zarr(da.full(10, 3, chunks=5, dtype="i4"), array)
        assert array[:].tolist() == [3] * 10
        array[9] = 4
    assert array[:].tolist() == [3] * 9 + [4]


def test_a_zip_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    path = str(tmp_path / "a.zip")
    for value in (1, 2):
        with zarrds.ZipStore(path, mode="w") as store:
            group = zarrds.group(store)
            group.array("first", [7] * value * 10, dtype="i4", compressor=None)  # moves what follows
            group.create_dataset("x", shape=10, chunks=10, dtype="i4", compressor=None)[:] = value
        assert zarrds.dask.from_zarr(path, "x", chunks=5)[:5].compute(scheduler="threads").tolist() == [value] * 5
