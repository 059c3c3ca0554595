"""On a cluster of processes, which see nothing of what lives in this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.xarray_backend.samples import assert_same, waves
from tests.xarray_backend.test_distributed import rechunked_and_written
from xarray_backend import to_zarrds
from zarrds.errors import StoreNotShareableError
from zarrds.storage import KVStore, LRUStoreCache, MemoryStore, ZipStore

pytest.importorskip("distributed")

pytestmark = pytest.mark.usefixtures("zarr_format")


@pytest.mark.slow
@pytest.mark.parametrize("make", [dict, MemoryStore, lambda: KVStore({}), lambda: LRUStoreCache({}, None)])
def test_what_is_in_a_dict_is_read_by_other_processes(cluster_client: Any, make: Any) -> None:
    store = make()
    to_zarrds(waves(), store)
    for ds in (xr.open_dataset(store, engine="zarrds", chunks={}), xr.open_dataset(store, engine="zarrds").chunk()):
        assert_same(ds.compute(), waves())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory://", "zip"])
def test_what_other_processes_cannot_read_is_refused_when_they_try(
    cluster_client: Any, kind: str, tmp_path: Path
) -> None:
    """Not when it is unpickled there: that ends a worker, and a cluster tries again and again."""
    store: Any = "memory://distributed" if kind == "memory://" else ZipStore(tmp_path / "a.zip", mode="w")
    to_zarrds(waves(), store, mode="w")
    with pytest.raises(StoreNotShareableError, match="belongs to the process that made it"):
        xr.open_dataset(store, engine="zarrds", chunks={}).compute()


@pytest.mark.slow
def test_an_array_in_the_memory_of_this_process_is_refused_by_others(cluster_client: Any, zarr_format: int) -> None:
    """Also where the array itself travels, with its store; the cluster goes on working."""
    path = "memory://travels"
    array = zarrds.array(np.arange(4), store=path, overwrite=True, zarr_format=zarr_format)
    for found in (array, zarrds.array(np.arange(4), store={}, chunk_store=array.chunk_store, overwrite=True)):
        with pytest.raises(StoreNotShareableError, match="belongs to the process that made it"):
            cluster_client.compute(da.from_array(found).sum()).result(timeout=240)
    assert cluster_client.submit(int, 3).result(timeout=240) == 3


@pytest.mark.slow
def test_a_delayed_write_of_what_workers_rechunk_among_themselves(cluster_client: Any, tmp_path: Path) -> None:
    rechunked_and_written(cluster_client, tmp_path)
