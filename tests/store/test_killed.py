"""Writers that are killed at any moment leave each chunk old or new, whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zarrds.storage import DirectoryStore

RUNNER = """
import os, random, signal, sys, time
import numpy as np
import zarrds
from zarrds.errors import PathNotFoundError

name, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
chance = random.Random(name)
last = np.zeros(8, int)

def opened():
    return getattr(zarrds, name)(path)

def write(start, done):
    with opened() as store:
        z = zarrds.open_array(store, mode="a", shape=(8, 5000), chunks=(1, 5000), dtype="i8", fill_value=0)
        for generation in range(start, start + 10**6):
            z[:] = generation
            z.attrs["generation"] = generation
            os.write(done, b".")

seen = 0
for attempt in range(count):
    read, done = os.pipe()
    child = os.fork()
    if child == 0:
        write(int(last.max()) + 1, done)
        os._exit(1)
    os.close(done)
    for _ in range(attempt % 3):
        os.read(read, 1)
    time.sleep(chance.uniform(0.0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.close(read)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "the writer ended by itself"
    with opened() as store:
        try:
            z = zarrds.open_array(store, mode="r")
        except PathNotFoundError:
            continue
        data = z[:]
        chunks = data[:, 0]
        assert (data == chunks[:, None]).all(), "a torn chunk"
        assert (chunks >= last).all(), "a value went back"
        assert set(store.listdir()) <= {".zarray", ".zattrs", *(f"{n}.0" for n in range(8))}, store.listdir()
        assert z.attrs.get("generation", 0) <= chunks.max()
        seen += chunks.max() > last.max()
        last = chunks
print(seen)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("name", ["DirectoryStore", "SQLiteStore", "LMDBStore"])
def test_killed_writers_leave_whole_values(name: str, tmp_path: Path) -> None:
    if name == "LMDBStore":
        pytest.importorskip("lmdb")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, name, str(tmp_path / "store"), "50"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 30, "two of three writers have written each chunk before they are killed"


def test_left_overs_of_killed_writers_are_no_keys(tmp_path: Path) -> None:
    code = (
        "import os, sys, zarrds; os.replace = lambda src, dst: os.kill(os.getpid(), 9);"
        "zarrds.DirectoryStore(sys.argv[1])['a/0'] = b'new'"
    )
    store = DirectoryStore(tmp_path / "store")
    store["a/0"] = b"old"
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code, store.path]).returncode == -9
    assert len(os.listdir(tmp_path / "store" / "a")) == 3
    assert (dict(store), store.listdir("a"), store.getsize("a")) == ({"a/0": b"old"}, ["0"], 3)
    store["a/0"] = b"newer"
    assert store["a/0"] == b"newer"
    store.rmdir("a")
    assert os.listdir(tmp_path / "store") == []
