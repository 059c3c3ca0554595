"""The memory of a worker that rechunks by random plans stays within what the plans say."""

from __future__ import annotations

import ctypes
import gc
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.errors import MemoryLimitError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of the memory is known on Linux"),
]

PLANS = 10
SHAPES = [(256, 256, 256), (4096, 4096), (16_000_000,), (64, 64, 64, 64)]
"""16 million elements each, of 2 to 8 bytes."""
CONFIG = {
    "distributed.comm.timeouts.connect": "240s",
    "distributed.comm.timeouts.tcp": "240s",
    "distributed.scheduler.worker-ttl": None,
}


def field(name: str) -> int:
    """Bytes that the system says of this process."""
    found = re.search(name + r":\s*(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


def forget_peak() -> int:
    """Give back memory that nobody uses, and measure the peak from now on; return what is used."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return field("VmRSS")


def peak() -> int:
    return field("VmHWM")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Client of one process with one thread, so that all tasks of a plan are in one peak."""
    from distributed import Client, LocalCluster

    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with dask.config.set(CONFIG), LocalCluster(**options, memory_limit=0) as cluster, Client(cluster) as found:
        yield found


def job_of(draw: random.Random, path: Path) -> Any:
    """Return a rechunk of random chunks, shards, dtype, codec and memory."""
    shape = draw.choice(SHAPES)
    parts = 8 if len(shape) == 4 else 32
    chunks, wanted = (tuple(draw.choice([1, 3, 8]) * (n // parts) for n in shape) for _ in range(2))
    shards = tuple(2 * n for n in chunks)
    options: Any = draw.choice([{}, {"compressor": None}, {"zarr_format": 3}, {"zarr_format": 3, "shards": shards}])
    dtype = draw.choice(["f4", "f8", "i2"])
    more: dict[str, Any] = draw.choice([{}, {"dtype": "f8"}, {"write_empty_chunks": False}])
    z = zarrds.create(shape, chunks=chunks, dtype=dtype, store=str(path / "a"), overwrite=True, **options)
    z[...] = np.random.default_rng(0).integers(1, 1000, shape, dtype="i2")
    max_mem = draw.choice([12, 16, 24, 40]) * 10**6
    target = str(path / "b")
    return zarrds.dask.rechunk(z, target, chunks=wanted, max_mem=max_mem, overwrite=True, target_options=more)


def test_a_worker_uses_no_more_than_its_plan_and_a_half(client: Any, tmp_path: Path) -> None:
    draw, found = random.Random(3), []
    zarrds.dask.rechunk(
        zarrds.ones((64, 64), chunks=8, store=str(tmp_path / "w")), str(tmp_path / "x"), chunks=16
    ).compute()
    while len(found) < PLANS:
        try:
            job = job_of(draw, tmp_path)
        except MemoryLimitError:
            continue
        (idle,) = client.run(forget_peak).values()
        target = job.compute()
        (most,) = client.run(peak).values()
        found.append((most - idle) / job.plan.projected_mem)
        assert found[-1] <= 1.5, (found, job.plan)
        if len(found) == 1:
            assert (target[...] == np.random.default_rng(0).integers(1, 1000, target.shape, dtype="i2")).all()
    assert max(found) > 0.3  # it was measured
