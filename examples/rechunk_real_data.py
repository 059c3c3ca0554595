"""Rechunk a netCDF file of your own for time series, and draw the plan before anything runs.

    python examples/rechunk_real_data.py FILE.nc [--output DIR] [--variable NAME] [--max-mem 64MB]

The file is stored with one chunk for each step of its first dimension, then rechunked to chunks that hold all steps of
a small tile. The plan is printed, drawn (plan.png) and written as a page (plan.html); then the job runs, and the result
is compared with the file.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from _job import Checks
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

import zarrds
import zarrds.dask
from xarray_backend import open_zarrds, to_zarrds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--output", type=Path, default=Path("rechunk-output"))
    parser.add_argument("--variable", help="the largest one when not given")
    parser.add_argument("--max-mem", default="64MB", help="memory that a task may use")
    arguments = parser.parse_args()
    checks = Checks()
    arguments.output.mkdir(parents=True, exist_ok=True)
    steps, series = arguments.output / "steps.zarr", arguments.output / "series.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)  # packed integers with odd fill values
        with xr.open_dataset(arguments.file) as opened:
            ds = opened.load()
        name = arguments.variable or max(ds.data_vars, key=lambda name: ds[name].size)
        first, *others = ds[name].dims
        for variable in ds.variables.values():
            variable.encoding.pop("chunksizes", None)
        to_zarrds(ds.chunk({first: 1}), steps, mode="w")
    chunks = {first: -1, **{dim: max(1, ds.sizes[dim] // 6) for dim in others}}
    job = zarrds.dask.rechunk(str(steps), str(series), chunks=chunks, max_mem=arguments.max_mem, overwrite=True)
    plan = job.plan[str(name)]
    print(f"{arguments.file}: {name} {ds[name].dims} {ds[name].shape}\n\n{job.plan.summary()}\n")
    draw(plan, arguments.output / "plan.png")
    (arguments.output / "plan.html").write_text(job.plan._repr_html_(), encoding="utf-8")
    checks.claim("each task stays within the memory", plan.projected_mem <= plan.max_mem)
    group = job.compute()
    checks.claim("the chunks are those that were asked for", group[str(name)].chunks == plan.target_chunks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)
        found, before = open_zarrds(series).load(), open_zarrds(steps).load()
    checks.claim("every variable has the values of the file", found.equals(before) and found[name].equals(ds[name]))
    checks.claim("nothing is unfinished", zarrds.verify(str(series)).ok)
    return checks.exit_code()


def draw(plan: Any, path: Path) -> None:
    """Draw the chunks of the source, the blocks of the stages and the chunks of the target, in two dimensions."""
    mpl.use("Agg")
    grids = [("source", plan.source_chunks), *((f"stage {n}", g) for n, g in enumerate(plan.grids))]
    grids.append(("target", plan.target_chunks))
    figure, axes = plt.subplots(1, len(grids), figsize=(3 * len(grids), 3), squeeze=False)
    rows, columns = plan.shape[0], int(np.prod(plan.shape[1:]))
    for axis, (title, grid) in zip(axes[0], grids, strict=True):
        height, width = min(grid[0], rows), min(int(np.prod(grid[1:])), columns)
        axis.add_patch(Rectangle((0, 0), width, height, color="tab:orange"))
        axis.set(xlim=(0, columns), ylim=(rows, 0), title=f"{title}\n{grid}", xlabel="other dimensions")
        axis.set_aspect(columns / rows)
    axes[0][0].set_ylabel("first dimension")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
