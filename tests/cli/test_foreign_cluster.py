"""Commands that use a cluster which others have started, by its address."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

import zarrds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "240s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "240s",
}


@contextmanager
def started(*args: str, folder: Path) -> Iterator[IO[str]]:
    """What a command of dask says on standard error, until the block ends."""
    command = [sys.executable, "-m", "dask", *args]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield process.stderr
        finally:
            process.terminate()
            process.communicate()  # until it has ended, so that it is never stopped by a full pipe


def first(pattern: str, lines: IO[str]) -> str:
    """What the first line says that has the pattern."""
    seen = []
    for line in lines:
        seen.append(line)
        found = re.search(pattern, line)
        if found is not None:
            return found[1]
    pytest.fail("".join(seen))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a scheduler with two workers, each started by its own command in a folder of its own."""
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        scheduler = ("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0")
        lines = stack.enter_context(started(*scheduler, folder=folder))
        found = first(r"Scheduler at:\s+(tcp://\S+)", lines)
        for _ in range(2):
            worker = ("worker", found, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
            first(r"(Registered to)", stack.enter_context(started(*worker, folder=folder)))
        yield found


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = str(tmp_path / "source.zarr")
    root = zarrds.open_group(path, mode="w", zarr_format=2)
    root.array("u", np.arange(400.0).reshape(40, 10), chunks=(1, 10))
    return path


def run(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zarrds", *args]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )


COMMANDS: dict[str, tuple[str, ...]] = {
    "copy": ("copy", "source.zarr", "dest.zarr", "--verify", "hash"),
    "convert": ("convert", "source.zarr", "dest.zarr", "--to", "3", "--verify", "hash"),
    "rechunk": ("rechunk", "source.zarr", "dest.zarr", "--chunks", '{"u": [40, 1]}', "--max-mem", "3000"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_workers_of_others_do_the_work(name: str, address: str, source: str, tmp_path: Path) -> None:
    """Relative paths are those of the command: the workers run in another folder."""
    done = run(*COMMANDS[name], "--scheduler", address, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    root: Any = zarrds.open_group(str(tmp_path / "dest.zarr"), mode="r")
    np.testing.assert_array_equal(root["u"][:], np.arange(400.0).reshape(40, 10))
    more = ("verify", "dest.zarr", "--level", "decode", "--scheduler", address)
    assert run(*more, folder=tmp_path).returncode == 0
    assert run("consolidate", "dest.zarr", "--scheduler", address, folder=tmp_path).returncode == 0


def test_a_store_of_one_process_is_refused(address: str, source: str, tmp_path: Path) -> None:
    done = run("copy", "source.zarr", "dest.zip", "--scheduler", address, folder=tmp_path)
    assert done.returncode == 1
    assert "other processes" in done.stderr
    with zarrds.ZipStore(str(tmp_path / "dest.zip"), mode="a") as store:
        assert not list(store)


def test_a_cluster_that_is_not_there(source: str, tmp_path: Path) -> None:
    command = ("copy", "source.zarr", "dest.zarr", "--scheduler", "tcp://127.0.0.1:9")
    environment = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"}
    done = subprocess.run(
        [sys.executable, "-m", "zarrds", *command],
        cwd=tmp_path,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert not (tmp_path / "dest.zarr").exists()
