"""Stores behind URLs in forked and spawned processes, in running event loops and in dask's workers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import zarrds
from tests.store.web import Quiet, serving
from zarrds.storage import FSStore

DATA = np.arange(400).reshape(20, 20)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """URL of an array of 16 chunks on a server in a thread of this process."""
    zarrds.open_array(str(tmp_path / "z"), mode="w", shape=DATA.shape, chunks=(5, 5), dtype=DATA.dtype)[:] = DATA
    with serving(tmp_path, Quiet, lambda handler: False) as (address, _):
        yield f"{address}/z"


def script(text: str, url: str) -> str:
    """Output of a script that finds `url`, and `total` of an array, in a process of its own."""
    head = f"import sys, warnings, zarrds\nwarnings.simplefilter('ignore')\nurl = {url!r}\n"
    head += "def total(z):\n    return int(z[:].sum())\n"
    ran = subprocess.run([sys.executable, "-c", head + textwrap.dedent(text)], capture_output=True, timeout=240)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.decode().strip()


TOTAL = str(DATA.sum())


def test_importing_starts_no_threads() -> None:
    text = "import threading; import zarrds.dask, zarrds.storage; print([t.name for t in threading.enumerate()])"
    assert script(text, "") == "['MainThread']"


def test_after_a_fork(url: str) -> None:
    text = """
        import os
        z = zarrds.open(url, mode="r")
        print(total(z), flush=True)
        for _ in range(2):
            child = os.fork()
            if not child:
                z.store["0.0"]
                print(total(z), total(zarrds.open(url, mode="r")), flush=True)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        print(total(z))
    """
    assert script(text, url).split() == [TOTAL] * 6


@pytest.mark.parametrize(
    "method", ["fork", *(pytest.param(name, marks=pytest.mark.slow) for name in ("spawn", "forkserver"))]
)
def test_multiprocessing(url: str, method: str, tmp_path: Path) -> None:
    text = f"""
        import multiprocessing, operator
        if __name__ == "__main__":
            z = zarrds.open(url, mode="r")
            total(z)
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                rows = pool.starmap(operator.getitem, [(z, n) for n in range(20)])
            print(sum(int(row.sum()) for row in rows))
    """
    file = tmp_path / "job.py"
    file.write_text(f"import zarrds, warnings\nwarnings.simplefilter('ignore')\nurl = {url!r}\n")
    file.write_text(file.read_text() + "def total(z):\n    return int(z[:].sum())\n" + textwrap.dedent(text))
    ran = subprocess.run([sys.executable, str(file)], capture_output=True, timeout=240)
    assert ran.stdout.decode().strip() == TOTAL, ran.stderr.decode()


def test_inside_a_running_loop(url: str) -> None:
    async def main() -> None:
        z = zarrds.open(url, mode="r")
        np.testing.assert_array_equal(z[:], DATA)
        await asyncio.sleep(0)
        found = await asyncio.gather(*(asyncio.to_thread(z.__getitem__, n) for n in range(20)))
        np.testing.assert_array_equal(np.stack(found), DATA)
        memory = zarrds.open_group(FSStore("memory://loop/g"), mode="w")
        memory.create_dataset("x", data=DATA)
        assert zarrds.load(FSStore("memory://loop/g"))["x"].sum() == DATA.sum()

    asyncio.run(main())
    asyncio.run(main())


def test_threads(url: str) -> None:
    z = zarrds.open(url, mode="r")
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(z.__getitem__, list(range(20)) * 3))
    np.testing.assert_array_equal(np.stack(rows[:20]), DATA)


@pytest.mark.parametrize("scheduler", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_dask(url: str, scheduler: str) -> None:
    import zarrds.dask

    x = zarrds.dask.from_zarr(zarrds.open(url, mode="r"))
    assert int(x.sum().compute(scheduler=scheduler, num_workers=2)) == DATA.sum()
