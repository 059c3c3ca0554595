"""Jobs on workers whose nanny ends them when they use too much memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.errors import PathNotFoundError
from zarrds.storage import DirectoryStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
MIB = 2**20
MAX_MEM = 96 * MIB
SHAPE, STEPS, SERIES = (256, 256, 512), (4, 256, 512), (256, 8, 512)
"""256 MiB of numbers, from one chunk for each few steps to one for each few rows."""

CONFIG = {
    "distributed.comm.timeouts.connect": "240s",
    "distributed.comm.timeouts.tcp": "240s",
    "distributed.scheduler.worker-ttl": None,
    # the nanny ends a worker beyond its limit; a worker that pauses before might wait for ever
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.98,
    "distributed.scheduler.allowed-failures": 1,
}


@contextmanager
def cluster(memory_limit: int) -> Iterator[Any]:
    """Client of two processes with one thread each."""
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with (
        dask.config.set(CONFIG),
        LocalCluster(**options, memory_limit=memory_limit) as running,
        Client(running) as client,
    ):
        yield client


def peak() -> int:
    """Return the most memory that this process has used, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture(scope="module")
def idle() -> int:
    """Bytes that a worker uses that has done nothing but import."""
    with cluster(8 * 1024 * MIB) as client:
        return max(client.run(peak).values())


@pytest.fixture
def source(tmp_path: Path) -> Any:
    """A stored array that is larger than what both workers may use together."""
    z = zarrds.open_array(str(tmp_path / "source"), mode="w", shape=SHAPE, chunks=STEPS, dtype="f8", compressor=None)
    for first in range(0, SHAPE[0], STEPS[0]):
        z[first : first + STEPS[0]] = values(first)
    return z


def values(step: int) -> np.ndarray[Any, Any]:
    """Return the numbers of a few steps."""
    rows = 1000.0 * np.arange(SHAPE[1])[:, None]
    return np.arange(step, step + STEPS[0])[:, None, None] + rows + np.arange(SHAPE[2]) / 1024 + 1


def assert_complete(found: Any) -> None:
    assert found.shape == SHAPE
    for first in range(0, SHAPE[0], STEPS[0]):
        np.testing.assert_array_equal(found[first : first + STEPS[0]], values(first))


def test_rechunking_stays_below_the_memory_of_its_plan(source: Any, idle: int, tmp_path: Path) -> None:
    target = str(tmp_path / "target")
    job = zarrds.dask.rechunk(source, target, chunks=SERIES, max_mem=MAX_MEM)
    with cluster(idle + job.plan.projected_mem) as client:
        before = set(client.scheduler_info()["workers"])
        client.compute(job).result()
        assert set(client.scheduler_info()["workers"]) == before  # no worker was ended
    assert_complete(zarrds.open_array(target, mode="r"))


@pytest.mark.parametrize("work", [zarrds.dask.copy_store, zarrds.dask.convert])
def test_copies_hold_a_batch_at_a_time(work: Any, source: Any, idle: int, tmp_path: Path) -> None:
    target, batch = str(tmp_path / "target"), 16 * MIB
    more = {"to": 3} if work is zarrds.dask.convert else {}
    job = work(source.store, DirectoryStore(target), batch_bytes=batch, **more)
    with cluster(idle + 4 * batch) as client:
        before = set(client.scheduler_info()["workers"])
        client.compute(job).result()
        assert set(client.scheduler_info()["workers"]) == before
    assert_complete(zarrds.open_array(target, mode="r"))


HUNGRY = """
import sys
from contextlib import suppress
import numpy as np
import zarrds.dask
from distributed import KilledWorker
from tests.dask.test_memory_limits import MIB, cluster

def hungry(block):
    for _ in range(5):
        np.ones(30 * MIB).sum()  # 240 MiB for a while
    return -block

if __name__ == "__main__":
    source, target, limit = sys.argv[1:]
    x = zarrds.dask.from_zarr(source).map_blocks(hungry, dtype="f8")
    job = zarrds.dask.to_zarr(x, target, compute=False)
    with cluster(int(limit)) as client, suppress(KilledWorker):
        client.compute(job).result()
    print("ended")
"""


def test_a_job_that_needs_more_than_there_is_ends_with_an_error(idle: int, tmp_path: Path) -> None:
    """Or is done, where the nanny does not look in time; each chunk is absent or exact, and so is a repeat.

    It runs in a process of its own, as what is left of workers that were ended warns at any later moment.
    """
    data = np.arange(1.0, 4097.0).reshape(64, 64)
    source, target = str(tmp_path / "source"), str(tmp_path / "target")
    zarrds.save_array(source, data, chunks=(32, 64))
    script = tmp_path / "hungry.py"
    script.write_text(HUNGRY)
    command = [sys.executable, "-W", "ignore", str(script), source, target, str(idle + 64 * MIB)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", env=ENVIRONMENT)
    assert done.stdout == "ended\n", done.stderr
    try:
        found = zarrds.open_array(target, mode="r")[:]
    except PathNotFoundError:
        pass
    else:
        assert ((found == -data) | (found == 0)).all()
    with dask.config.set(scheduler="sync"):
        zarrds.dask.to_zarr(-zarrds.dask.from_zarr(source), target, overwrite=True)
    np.testing.assert_array_equal(zarrds.open_array(target, mode="r")[:], -data)
