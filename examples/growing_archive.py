"""Keep a copy of a growing archive up to date that has whole time series in its chunks.

Each day appends maps to an archive whose chunks are maps, as they arrive. A copy with chunks of 32 days serves those
who read time series. Bringing it up to date reads only what is new, and completes the last chunks once.

    python examples/growing_archive.py [--output DIR] [--days 12]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import xarray as xr
from _job import Checks

import zarrds
import zarrds.dask
from xarray_backend import open_zarrds, to_zarrds

STEPS = 8
"""Maps of one day."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("growing-output"))
    parser.add_argument("--days", type=int, default=12, help="days that arrive one after the other")
    arguments = parser.parse_args()
    archive, series = str(arguments.output / "archive.zarr"), str(arguments.output / "series.zarr")
    checks = Checks()
    print(f"A year of maps: {archive}")
    to_zarrds(maps(0, 365).chunk(time=1), archive, mode="w")
    chunks = {"time": 32 * STEPS, "latitude": 9, "longitude": 18}
    zarrds.dask.rechunk(archive, series, chunks=chunks, max_mem="64MB", overwrite=True).compute()
    print(f"Its time series: {series}\n")
    for day in range(365, 365 + arguments.days):
        to_zarrds(maps(day, 1), archive, append_dim="time")
        job = zarrds.dask.rechunk(archive, series, append=True, max_mem="64MB")
        plan = job.plan["t2m"]
        job.compute()
        whole = open_zarrds(archive)["t2m"].nbytes
        print(f"day {day + 1}: {plan.read_bytes / whole:.1%} of the bytes read, {plan.write_bytes / whole:.1%} written")
        checks.claim("less than a tenth of the archive was read", plan.read_bytes < 0.1 * whole)
    new, old = open_zarrds(series).load(), open_zarrds(archive).load()
    checks.claim("the time series are those of the archive", new.equals(old))
    checks.claim("nothing is unfinished", zarrds.verify(series).ok)
    point = new["t2m"].sel(latitude=40, longitude=20, method="nearest")
    print(f"\nLast values at 40 N, 20 E: {np.round(point[-3:].values, 2)} K")
    return checks.exit_code()


def maps(day: int, count: int) -> xr.Dataset:
    """Return the maps of some days: a temperature with seasons, and noise that depends on the day."""
    steps = np.arange(day * STEPS, (day + count) * STEPS)
    latitude, longitude = np.linspace(80, -80, 9), np.arange(0.0, 360, 20)
    season = np.cos(2 * np.pi * steps / (365 * STEPS))[:, None, None]
    noise = np.concatenate([np.random.default_rng(d).normal(0, 2, (STEPS, 9, 18)) for d in range(day, day + count)])
    t2m = 288 - 30 * np.sin(np.radians(latitude))[None, :, None] ** 2 - 10 * season + noise
    time = np.datetime64("2020-01-01", "ns") + steps * np.timedelta64(24 // STEPS, "h")
    coords = {"time": time, "latitude": latitude, "longitude": longitude}
    return xr.Dataset({"t2m": (tuple(coords), t2m.astype("f4"), {"units": "K"})}, coords)


if __name__ == "__main__":
    sys.exit(main())
