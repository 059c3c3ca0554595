"""Workers that die again and again change nothing of a result."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import zarrds
import zarrds.dask
from tests.dask.dying_store import DyingStore
from zarrds.storage import DirectoryStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DEATHS = 10
PATIENCE = {
    "distributed.comm.timeouts.connect": "240s",
    "distributed.comm.timeouts.tcp": "240s",
    "distributed.scheduler.worker-ttl": None,
}
"""Settings for a busy machine."""


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Client of a cluster that repeats a task however often its workers die."""
    from distributed import Client, LocalCluster

    options = {"n_workers": 4, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 100, **PATIENCE}),
        LocalCluster(**options) as cluster,
        Client(cluster) as client,
    ):
        cluster.adapt(minimum=4, maximum=4)  # a nanny whose worker dies while it starts gives up
        yield client


def values(*shape: int) -> np.ndarray[Any, Any]:
    return 1 + np.arange(np.prod(shape, dtype="i8")).reshape(shape)


def hierarchy(path: str, **options: Any) -> None:
    """Two arrays of one group, as xarray can read them, too."""
    group = zarrds.open_group(path, mode="w", zarr_format=options.get("zarr_format", 2))
    group.attrs["title"] = "deaths"
    for name, shape in {"u": (40, 24), "v": (30, 24)}.items():
        names = [f"t_{name}", "x"]
        v3: dict[str, Any] = {"dimension_names": names} if options.get("zarr_format") == 3 else {}
        array = group.create_dataset(name, data=values(*shape), chunks=(1, 24) if name == "u" else (2, 12), **v3)
        if not v3:
            array.attrs["_ARRAY_DIMENSIONS"] = names


def rechunked(source: Any, dest: Any) -> Any:
    return zarrds.dask.rechunk(source, dest, path="u", chunks=(40, 1), max_mem=5000)


def copied(source: Any, dest: Any) -> Any:
    return zarrds.dask.copy_store(source, dest, batch_keys=4)


def converted(source: Any, dest: Any) -> Any:
    return zarrds.dask.convert(source, dest, to=3, batch_keys=4)


def converted_back(source: Any, dest: Any) -> Any:
    return zarrds.dask.convert(source, dest, to=2, batch_keys=4)


def dask_array(source: Any, dest: Any) -> Any:
    x = zarrds.dask.from_zarr(source, "u") + 1
    return zarrds.dask.to_zarr(x.rechunk((4, 12)), dest, compute=False)


def dataset(source: Any, dest: Any) -> Any:
    from xarray_backend import open_zarrds, to_zarrds

    ds = open_zarrds(source, consolidated=False) + 1
    return to_zarrds(ds.chunk(t_u=4, t_v=4, x=12), dest, compute=False, encoding={n: {"chunks": (4, 12)} for n in "uv"})


JOBS = [
    (rechunked, 2),
    (copied, 3),
    (converted, 2),
    (converted_back, 3),
    (dask_array, 2),
    (dataset, 2),
]


@pytest.mark.parametrize(("work", "zarr_format"), JOBS)
def test_ten_deaths_change_nothing(work: Any, zarr_format: int, client: Any, tmp_path: Path) -> None:
    source, markers = str(tmp_path / "source"), tmp_path / "markers"
    hierarchy(source, zarr_format=zarr_format)
    markers.mkdir()
    expected = DirectoryStore(str(tmp_path / "expected"))
    with dask.config.set(scheduler="threads"):
        dask.compute(work(DirectoryStore(source), expected))
    how: dict[str, Any] = {"seed": 7, "deaths": DEATHS, "markers": str(markers), "owner": os.getpid()}
    dest = DyingStore(str(tmp_path / "dest"), **how)
    client.compute(work(DyingStore(source, **how), dest)).result()
    assert len(list(markers.glob("death *"))) == DEATHS
    found = DirectoryStore(dest.path)
    assert {key: found[key] for key in found} == {key: expected[key] for key in expected}
