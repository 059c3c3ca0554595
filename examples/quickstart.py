"""Ten years of monthly temperature on a made-up planet: stored, averaged on a cluster, rechunked, copied, drawn.

    python examples/quickstart.py [OUTPUT] [--years 10] [--degrees 1]

Nothing is downloaded. What is printed as "ok" was checked; the exit code is 1 when a check failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr
from _job import Checks, draw_map, run_job
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

WARMING = 0.4
"""Trend that is put into the data, in K per decade."""

PLACES = {"polar land": (66, 1), "inland": (42, 1), "ocean": (35, -1), "tropical mountains": (2, 1)}
"""Latitude, and 1 for the highest or -1 for the lowest ground there: the seasonal cycles in the picture."""


def main() -> int:
    started = time.perf_counter()
    args = arguments()
    dataset = planet(args.years, args.degrees)
    print(f"A synthetic dataset: t2m {dataset.t2m.dims} {dataset.t2m.shape}, {dataset.t2m.nbytes / 1e6:.1f} MB")
    checks = Checks()
    months = run_job(dataset, "t2m", args.output, checks)

    print("\nWhat the data say")
    trend = decadal_trend(global_anomaly(dataset.t2m, months))
    checks.claim(f"warming of {trend:.2f} K per decade where {WARMING:.2f} were put in", abs(trend - WARMING) < 0.1)
    picture = args.output / "quickstart.png"
    draw(dataset, months, picture)
    checks.claim(f"a picture: {picture}", picture.stat().st_size > 10_000)
    code = checks.exit_code()
    print(f"{time.perf_counter() - started:.0f} s. Look at the stores: zarrds tree {args.output / 'copy.zarr'}")
    return code


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", type=Path, default=Path("quickstart-output"))
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--degrees", type=float, default=1.0, help="distance of grid points")
    return parser.parse_args()


# --- the data --------------------------------------------------------------------------------------------------------


def planet(years: int, degrees: float) -> xr.Dataset:
    """Return monthly temperature with seasons, continents, weather and a trend, with CF attributes."""
    lat = np.arange(90 - degrees / 2, -90, -degrees)
    lon = np.arange(degrees / 2, 360, degrees)
    time_ = np.arange(f"{2025 - years}-01", "2025-01", dtype="M8[M]").astype("M8[ns]")
    height = relief(lat, lon)
    t2m = temperature(len(time_), lat, height)
    return xr.Dataset(
        {
            "t2m": (("time", "lat", "lon"), t2m, {"standard_name": "air_temperature", "units": "K"}),
            "height": (("lat", "lon"), height, {"standard_name": "surface_altitude", "units": "m"}),
        },
        coords={
            "time": ("time", time_, {"standard_name": "time", "axis": "T"}),
            "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}),
            "lon": ("lon", lon, {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}),
        },
        attrs={"Conventions": "CF-1.11", "title": "Monthly temperature of a made-up planet"},
    )


def relief(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Return the height of the ground in metres, below zero in the sea: a sum of random waves; a third is land."""
    rng = np.random.default_rng(5)
    y, x = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None, :]
    height = np.zeros((len(lat), len(lon)))
    for zonal in range(16):
        for meridional in range(1, 16):
            wave = np.cos(zonal * x + rng.uniform(0, 7)) * np.cos(meridional * y + rng.uniform(0, 7))
            height += rng.normal() * wave * np.cos(y) ** min(zonal, 2) / (2 + zonal**2 + meridional**2) ** 0.7
    height -= np.quantile(height, 0.66)
    return np.round(3000 * height / height.max()).astype("f4")


def temperature(months: int, lat: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return Kelvin as float32, rounded to 1/64 K, as measurements have a finite precision (and compress well)."""
    rng = np.random.default_rng(2024)
    land = height > 0
    month = np.arange(months)[:, None, None]
    y = np.deg2rad(lat)[None, :, None]
    mean = 301.0 - 48.0 * np.sin(y) ** 2 - 0.0065 * np.maximum(height, 0)
    swing = np.sin(y) * np.where(land, 22.0, 7.0)
    season = -swing * np.cos(2 * np.pi * (month - np.where(land, 0.5, 1.5)) / 12)
    weather = smooth(rng.normal(0, 14.0, (months, *land.shape))) * (0.4 + np.sin(y) ** 2)
    warming = WARMING * month / 120
    return (np.round((mean + season + weather + warming) * 64) / 64).astype("f4")


def smooth(noise: np.ndarray) -> np.ndarray:
    """Return periodic running means over neighbours, so that weather systems have a realistic size."""
    for axis in (1, 2):
        noise = sum(np.roll(noise, shift, axis) for shift in range(-4, 5)) / 9
    return noise


# --- what the data say -----------------------------------------------------------------------------------------------


def global_anomaly(data: xr.DataArray, months: xr.DataArray) -> xr.DataArray:
    """Return the difference from the climatology, averaged over the globe weighted by area."""
    area = np.cos(np.deg2rad(data.lat))
    return (data.groupby("time.month") - months).weighted(area).mean(("lat", "lon"))


def decadal_trend(series: xr.DataArray) -> float:
    # one month's anomaly is weather: the trend is that of the annual means
    annual = series.groupby("time.year").mean()
    return 10 * float(np.polyfit(annual.year, annual, 1)[0]) if annual.size > 1 else float("nan")


def draw(dataset: xr.Dataset, months: xr.DataArray, path: Path) -> None:
    """Draw a map of the annual mean, seasonal cycles at some places, and the global mean over the years."""
    mpl.use("Agg")
    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = plt.figure(figsize=(12, 4.9), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=(1.6, 1))
        draw_planet(left.subplots(), dataset, months)
        seasons, years = right.subplots(2, 1)
        draw_seasons(seasons, dataset, months)
        draw_years(years, global_anomaly(dataset.t2m, months))
        figure.savefig(path, dpi=100)
        plt.close(figure)


def places(height: xr.DataArray) -> dict[str, dict[str, float]]:
    """Return the coordinates of PLACES."""
    found = {}
    for name, (lat, sign) in PLACES.items():
        row = height.sel(lat=lat, method="nearest")
        found[name] = {"lat": float(row.lat), "lon": float(row.lon[int(np.argmax(sign * row.values))])}
    return found


def draw_planet(ax: Axes, dataset: xr.Dataset, months: xr.DataArray) -> None:
    draw_map(ax, months.mean("month") - 273.15, label="°C")
    ax.contour(dataset.lon, dataset.lat, dataset.height, levels=[0], colors="0.15", linewidths=0.9)
    for number, place in enumerate(places(dataset.height).values()):
        ax.plot(place["lon"], place["lat"], "o", color=f"C{number}", markeredgecolor="white", markersize=9)
    ax.set(xlabel="longitude", ylabel="latitude", aspect="equal")
    ax.set_title("Annual mean of the climatology", loc="left", weight="bold")


def draw_seasons(ax: Axes, dataset: xr.Dataset, months: xr.DataArray) -> None:
    for number, (name, place) in enumerate(places(dataset.height).items()):
        cycle = months.sel(place) - 273.15
        ax.plot(cycle.month, cycle, ".-", color=f"C{number}", label=name)
    ax.set(xticks=range(1, 13), xticklabels="JFMAMJJASOND", ylabel="°C")
    ax.set_title("Seasonal cycles", loc="left", weight="bold")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def draw_years(ax: Axes, anomaly: xr.DataArray) -> None:
    annual = anomaly.groupby("time.year").mean()
    ax.axhline(0, color="0.8", linewidth=0.8)
    ax.plot(
        anomaly.time.dt.year + (anomaly.time.dt.month - 0.5) / 12, anomaly, color="0.6", linewidth=0.8, label="months"
    )
    ax.plot(annual.year + 0.5, annual, "o-", color="C3", markersize=4, label="years")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.set(ylabel="K")
    ax.set_title("Global anomaly", loc="left", weight="bold")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


if __name__ == "__main__":
    sys.exit(main())
