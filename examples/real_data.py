"""Run the quickstart's job on a file of your own: any netCDF file that xarray can open.

    python examples/real_data.py FILE.nc [--output DIR] [--variable NAME]

The file must fit in memory. Its largest variable is stored, averaged over time on a cluster, rechunked, copied, drawn.
What comes out is compared with the file and, where zarr-python 3 is installed, with what that reads from the store.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Hashable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from _job import Checks, draw_map, run_job, same_bits
from matplotlib import pyplot as plt

import zarrds

LATITUDES = ("lat", "latitude", "y", "nav_lat", "rlat")
LONGITUDES = ("lon", "longitude", "x", "nav_lon", "rlon")


def main() -> int:
    args = arguments()
    checks = Checks()
    with warnings.catch_warnings():
        # some files have packed integers with bad or missing fill values: the checks show that no value was lost
        warnings.simplefilter("ignore", xr.SerializationWarning)
        with xr.open_dataset(args.file) as opened:
            dataset = opened.load()
        name = args.variable or largest(dataset)
        data = dataset[name]
        print(f"{args.file}: {name} {data.dims} {data.shape}, {data.nbytes / 1e6:.1f} MB in memory")
        result = run_job(dataset, name, args.output, checks)
    store = args.output / "steps.zarr"
    compare_with_file(args.file, store, checks)
    compare_with_zarr_python(store, checks)
    draw(result, args.output / f"{name}.png", checks)
    return checks.exit_code()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--output", type=Path, default=Path("real-data-output"))
    parser.add_argument("--variable", help="the largest one with two dimensions or more when not given")
    return parser.parse_args()


def largest(dataset: xr.Dataset) -> str:
    candidates = {name: data.size for name, data in dataset.data_vars.items() if data.ndim >= 2}
    if not candidates:
        raise SystemExit("there is no variable with two dimensions or more")
    return str(max(candidates, key=candidates.__getitem__))


# --- comparisons -----------------------------------------------------------------------------------------------------


def compare_with_file(file: Path, store: Path, checks: Checks) -> None:
    """Compare stored, undecoded values with the file: numbers, data types and attributes."""
    print(f"\nCompare with {file}")
    raw = {"mask_and_scale": False, "decode_times": False}
    with xr.open_dataset(file, **raw) as old, xr.open_dataset(store, engine="zarrds", **raw) as new:
        checks.claim("the same variables", set(old.variables) == set(new.variables))
        for name, variable in old.variables.items():
            stored = new[name].variable
            same = same_bits(variable.values, stored.values) and variable.dims == stored.dims
            checks.claim(f"{name}: identical {variable.dtype} values as packed in the file", same)
            checks.claim(f"{name}: identical attributes", attributes_of(variable) == attributes_of(stored))


def attributes_of(variable: xr.Variable) -> dict[str, object]:
    """Return attributes without fill values, which have several forms; values are compared anyway."""
    kept = {name: value for name, value in variable.attrs.items() if name not in ("_FillValue", "missing_value")}
    if " since " in str(kept.get("units")):
        kept["units"] = time_units(kept["units"])
    return {
        name: value.tolist() if isinstance(value, np.generic | np.ndarray) else value for name, value in kept.items()
    }


def time_units(units: str) -> tuple[str, object]:
    """Return unit and reference time: xarray writes "days since 2020-01-01 00:00:00" shorter, leaving out the hours."""
    unit, _, reference = units.partition(" since ")
    with suppress(ValueError):
        return unit, pd.Timestamp(reference)
    return unit, reference


def compare_with_zarr_python(store: Path, checks: Checks) -> None:
    try:
        peer_version = version("zarr")
    except PackageNotFoundError:
        peer_version = "none"
    if not peer_version.startswith("3."):
        print(f"\nNot compared with zarr-python 3, which is not installed (found: {peer_version})")
        return
    import zarr

    print(f"\nCompare with what zarr-python {peer_version} reads from {store}")
    peer = zarr.open_group(str(store), mode="r")
    ours = zarrds.open_group(str(store), mode="r")
    checks.claim("the same arrays", sorted(peer.array_keys()) == sorted(ours.array_keys()))
    for name, array in ours.arrays():
        same = same_bits(np.asarray(peer[name][...]), np.asarray(array[...]))
        checks.claim(f"{name}: identical {array.dtype} values", same)
        checks.claim(f"{name}: identical attributes", dict(peer[name].attrs) == array.attrs.asdict())


# --- picture ---------------------------------------------------------------------------------------------------------


def draw(result: xr.DataArray, path: Path, checks: Checks) -> None:
    """Draw a map by latitude and longitude, else of the last two dimensions, or a line if there is only one."""
    mpl.use("Agg")
    lat, lon = dimension(result, LATITUDES), dimension(result, LONGITUDES)
    field = result.transpose(..., lat, lon) if lat and lon else result
    field = field[(0,) * (field.ndim - 2)]
    figure, ax = plt.subplots(figsize=(8, 5.6), layout="constrained")
    if field.ndim == 2:
        draw_map(ax, field, label=field.attrs.get("units", ""), cmap="viridis")
        ax.set_aspect("equal" if lat and lon else "auto")
    else:
        field.plot(ax=ax)
    where = ", ".join(f"{name} {value.item()}" for name, value in field.coords.items() if value.ndim == 0)
    ax.set_title(f"{result.name}, mean{f' at {where}' if where else ''}", loc="left", weight="bold")
    figure.savefig(path, dpi=100)
    plt.close(figure)
    checks.claim(f"a picture: {path}", path.stat().st_size > 5_000)


def dimension(data: xr.DataArray, names: tuple[str, ...]) -> Hashable | None:
    return next((dim for dim in data.dims if str(dim).lower() in names), None)


if __name__ == "__main__":
    sys.exit(main())
