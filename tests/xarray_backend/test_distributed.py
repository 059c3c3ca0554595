"""On a cluster of threads: the same graphs and pickles as on a real one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from dask.base import tokenize

from tests.xarray_backend.samples import assert_same, waves
from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import StoreNotShareableError

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.usefixtures("zarr_format")


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.Client(**options) as found:
            yield found


def test_write_and_read(client, tmp_path):
    to_zarrds(waves(chunk=3) + 1, tmp_path / "a.zarr")
    to_zarrds(open_zarrds(tmp_path / "a.zarr") * 2, tmp_path / "b.zarr", compute=False).compute()
    assert_same(open_zarrds(tmp_path / "b.zarr"), (waves() + 1) * 2)


def test_a_store_in_memory_is_refused(client):
    store: dict[str, bytes] = {}
    with pytest.raises(StoreNotShareableError, match="distributed"):
        to_zarrds(waves(chunk=3), store)
    to_zarrds(waves(), store, mode="w")  # nothing of it is on the cluster
    to_zarrds(waves(chunk=3), {}, chunkmanager_store_kwargs={"scheduler": "threads"})


def test_regions_from_several_tasks(client, tmp_path):
    ds = waves(chunk=2)
    to_zarrds(ds, tmp_path / "a.zarr", compute=False)

    def write(start: int) -> None:
        to_zarrds(waves().isel(t=slice(start, start + 2)), tmp_path / "a.zarr", region="auto")

    client.gather(client.map(write, [0, 2, 4, 6], key=f"write-{tokenize(str(tmp_path))}"))
    assert_same(open_zarrds(tmp_path / "a.zarr"), waves())


def test_a_store_of_this_process_is_read_by_a_cluster_of_threads(client: Any) -> None:
    for store in ({}, "memory://threads"):
        to_zarrds(waves(), store, mode="w")
        assert_same(xr.open_dataset(store, engine="zarrds", chunks={}).compute(), waves())


def test_a_delayed_write_of_what_workers_rechunk_among_themselves(client: Any, tmp_path: Path) -> None:
    rechunked_and_written(client, tmp_path)


def rechunked_and_written(client: Any, tmp_path: Path) -> None:
    """Chunks (1, 1, 6, -1) to (-1, -1, -1, 5), as those of a reanalysis, by the way that is dask's default there."""
    values = np.arange(2 * 3 * 12 * 20.0).reshape(2, 3, 12, 20)
    ds = xr.Dataset({"v": (("month", "level", "latitude", "longitude"), values)})
    to_zarrds(ds, tmp_path / "a.zarr", encoding={"v": {"chunks": (1, 1, 6, 20)}})
    with dask.config.set({"array.rechunk.method": "p2p"}):
        found = (open_zarrds(tmp_path / "a.zarr") + 1).chunk(month=-1, level=-1, latitude=-1, longitude=5)
        found["w"] = found["v"].sum("longitude")
        job = to_zarrds(found, tmp_path / "b.zarr", compute=False)
        assert client.compute(job).result() is None
    assert_same(open_zarrds(tmp_path / "b.zarr"), (ds + 1).assign(w=(ds.v + 1).sum("longitude")))
