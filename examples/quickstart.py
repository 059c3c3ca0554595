"""Ten years of monthly temperature on a made-up planet: stored, averaged on a cluster, rechunked, copied, drawn.

    python examples/quickstart.py [OUTPUT] [--years 10] [--degrees 1]

Nothing is downloaded. Everything that is printed as "ok" was checked; the exit code is 1 when a check failed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr
from _job import Checks, draw_map, run_job

WARMING = 0.3  # K per decade
CITIES = {"polar land": (72.0, 100.0), "temperate coast": (45.0, 230.0), "tropics": (0.0, 20.0)}


def main() -> int:
    args = arguments()
    started = time.perf_counter()
    shutil.rmtree(args.output, ignore_errors=True) if is_ours(args.output) else None
    args.output.mkdir(parents=True, exist_ok=True)

    dataset = planet(args.years, args.degrees)
    print(f"A synthetic dataset: {dataset.t2m.dims} {dataset.t2m.shape}, {dataset.t2m.nbytes / 1e6:.1f} MB")
    checks = Checks()
    months = run_job(dataset, "t2m", args.output, checks)

    print("\nWhat the data say")
    trend = warming_of(dataset.t2m)
    checks.claim(f"warming of {trend:.2f} K per decade, {WARMING} were put in", abs(trend - WARMING) < 0.15)
    picture = args.output / "quickstart.png"
    draw(dataset, months, picture)
    checks.claim(f"a picture: {picture}", picture.stat().st_size > 10_000)
    code = checks.exit_code()
    print(f"{time.perf_counter() - started:.0f} s; the stores are in {args.output}/, try: zarrds tree {args.output}/copy.zarr")
    return code


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", type=Path, default=Path("quickstart-output"))
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--degrees", type=float, default=1.0, help="distance of grid points")
    return parser.parse_args()
