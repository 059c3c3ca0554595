"""The thread pool at its ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import atexit, sys
import numpy as np, zarrds
from zarrds._engine.pool import usable_threads

array = zarrds.open_array(sys.argv[1], mode="w", shape=4_000_000, chunks=1_000_000, dtype="i8")
assert usable_threads(4, 1, 1, 4) == 4
zarrds.set_config(threads=4)

def late():
    array[:] = np.arange(4_000_000)
    print(int(array[:].sum()) == 4_000_000 * 3_999_999 // 2)

atexit.register(late)
"""


def test_arrays_work_while_the_interpreter_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "a.zarr")],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
