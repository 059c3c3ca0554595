"""Rechunks of dask arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

import zarrds
from tests.dask.test_dask_rechunk import ramp
from zarrds.dask import rechunk
from zarrds.errors import ContainsArrayError, SelfOverwriteError


@pytest.mark.parametrize("blocks", [(1, 40), (7, 11), ((3, 20, 37), 40)])
@pytest.mark.parametrize("chunks", [(60, 1), (9, 5), -1])
@pytest.mark.parametrize("options", [{}, {"zarr_format": 3, "dtype": "f4"}, {"compressor": None, "order": "F"}])
def test_blocks_are_computed_once(blocks: Any, chunks: Any, options: dict[str, Any]) -> None:
    store, computed = zarrds.MemoryStore(), []

    def note(block: Any) -> Any:
        computed.append(block.shape)
        return block + 1

    x = da.from_array(ramp(60, 40), chunks=blocks).map_blocks(note, dtype="i4", meta=np.empty((0, 0), "i4"))
    job = rechunk(x, store, chunks=chunks, max_mem=20_000, target_options=options)
    assert not computed
    found = job.compute(scheduler="sync")
    assert len(computed) == x.npartitions
    np.testing.assert_array_equal(found[:], ramp(60, 40) + 1)
    assert found.chunks == ((60, 40) if chunks == -1 else chunks)
    assert found.dtype == options.get("dtype", "i4")
    assert (found.zarr_format, found.order) == (options.get("zarr_format", 2), options.get("order", "C"))
    assert not [key for key in store if "zarrds" in key]


def test_whole_chunks_are_written_directly() -> None:
    x = da.from_array(ramp(60, 40), chunks=(20, 40)) + 1
    job = rechunk(x, {}, chunks=(10, 8))
    assert job.plan is None
    np.testing.assert_array_equal(job.compute(scheduler="sync")[:], ramp(60, 40) + 1)


def test_wrong_calls_write_nothing(tmp_path: Path) -> None:
    store = zarrds.MemoryStore()
    x = da.from_array(ramp(60, 40), chunks=(1, 40))
    with pytest.raises(TypeError, match="chunks are needed"):
        rechunk(x, store)
    with pytest.raises(TypeError, match="stored"):
        rechunk(x, store, chunks=1, append=True)
    with pytest.raises(TypeError, match="colour"):
        rechunk(x, store, chunks=1, target_options={"colour": 1})
    with pytest.raises(ValueError, match="no dimension"):
        rechunk(x, store, chunks={"q": 1})
    assert not list(store)
    rechunk(x, store, chunks=7).compute(scheduler="sync")
    with pytest.raises(ContainsArrayError):
        rechunk(x, store, chunks=7)
    own = zarrds.dask.from_zarr(zarrds.open_array(store))
    with pytest.raises(SelfOverwriteError):
        rechunk(own, store, chunks=9, overwrite=True)


@pytest.mark.slow
def test_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    z = zarrds.array(ramp(60, 40), chunks=(1, 40), store=str(tmp_path / "a"))
    x = zarrds.dask.from_zarr(z) * 2
    job = rechunk(x, str(tmp_path / "b"), chunks=(60, 1), max_mem=20_000)
    (found,) = dask.compute(job)
    np.testing.assert_array_equal(found[:], ramp(60, 40) * 2)
    assert not [key for key in found.store if "zarrds" in key]
