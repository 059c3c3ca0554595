"""On a cluster of threads: the same graphs and pickles as on a real one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

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
