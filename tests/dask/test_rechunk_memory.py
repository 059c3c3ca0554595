"""The memory of a process that runs the tasks of a rechunk stays within what its plan says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLANS = 5

SCRIPT = """
import json, random, re, sys
import numpy as np
import zarrds, zarrds.dask
from zarrds.dask.tasks import rechunk_blocks
from zarrds.errors import MemoryLimitError

def field(name):
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(name + r":\\s*(\\d+)", status.read()).group(1))

def forget_peak():
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")

def plan_of(draw, path):
    shape = draw.choice([(128, 128, 256), (2048, 2048), (4_000_000,)])
    chunks = tuple(draw.choice([1, 3, 8]) * max(1, n // 16) for n in shape)
    wanted = tuple(draw.choice([1, 3, 8]) * max(1, n // 16) for n in shape)
    options = draw.choice([{}, {"compressor": None}, {"zarr_format": 3}])
    z = zarrds.create(shape, chunks=chunks, dtype="f4", store=f"{path}/a", overwrite=True, **options)
    z[...] = np.random.default_rng(0).random(shape, dtype="f4")
    return zarrds.dask.rechunk(z, f"{path}/b", chunks=wanted, max_mem=draw.choice([6, 10, 16]) * 10**6, overwrite=True)

def run(job):
    work = job._finish.args[0].works[0]
    for number, stage in enumerate(job.plan.stages):
        rechunk_blocks(work, (number, 0, stage.tasks))

found, draw = [], random.Random(5)
run(zarrds.dask.rechunk(zarrds.ones((64, 64), chunks=8), {}, chunks=16))  # modules are loaded
while len(found) < int(sys.argv[2]):
    try:
        job = plan_of(draw, sys.argv[1])
    except MemoryLimitError:
        continue
    forget_peak()
    idle = field("VmRSS")
    run(job)
    found.append((field("VmHWM") - idle, job.plan.projected_mem, len(job.plan.stages)))
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of the memory is known on Linux")
def test_a_process_uses_little_more_than_the_plan_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(PLANS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == PLANS
    assert {stages for _, _, stages in found} >= {1}
    for peak, planned, _ in found:
        assert peak <= 1.5 * planned + 8_000_000, found  # a few MB for buffers of codecs and the allocator
