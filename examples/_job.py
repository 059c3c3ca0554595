"""Run the job of both examples: store, reduce on a cluster, rechunk, copy, consolidate, and check every step."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr
from dask.utils import parse_bytes
from distributed import Client, LocalCluster
from matplotlib.axes import Axes

import zarrds
import zarrds.dask
from xarray_backend import to_zarrds

MAX_MEM = "256MB"
CHUNK_BYTES = 2**20
PACKING = ("dtype", "scale_factor", "add_offset", "_FillValue", "missing_value", "units", "calendar")
"""Encoding keys by which a variable of a file is packed; kept, as a new encoding replaces the variable's own."""


class Checks:
    """Claims, printed with their outcome as they are made."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.failed: list[str] = []

    def claim(self, text: str, holds: bool) -> None:
        (self.held if holds else self.failed).append(text)
        print(f"  {'ok    ' if holds else 'FAILED'} {text}", flush=True)

    def exit_code(self) -> int:
        """Print a summary; return 0 if every claim was true, else 1."""
        print(f"\n{len(self.held)} of {len(self.held) + len(self.failed)} checks passed")
        return 1 if self.failed else 0


@contextmanager
def local_cluster() -> Iterator[Client]:
    """Start a cluster of two worker processes on this machine; any other dask cluster works too."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def chunks_within(first: int, rest: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return chunks of `first` steps along the first dimension, others halved until a chunk has CHUNK_BYTES at most."""
    sizes = list(rest)
    while first * math.prod(sizes) * itemsize > CHUNK_BYTES and max(sizes, default=1) > 1:
        longest = sizes.index(max(sizes))
        sizes[longest] = -(-sizes[longest] // 2)
    return (first, *sizes)


def climatology(data: xr.DataArray) -> xr.DataArray:
    """Return the mean of each calendar month; without a time axis, the mean over the first dimension."""
    first = data.dims[0]
    if first in data.coords and np.issubdtype(data[first].dtype, np.datetime64):
        return data.groupby(f"{first}.month").mean()
    return data.mean(first)


def run_job(dataset: xr.Dataset, name: str, output: Path, checks: Checks) -> xr.DataArray:
    """Do the whole job on the variable `name` of a dataset; return its climatology."""
    output.mkdir(parents=True, exist_ok=True)
    steps, series, copy = (str(output / f"{what}.zarr") for what in ("steps", "series", "copy"))
    for left_over in (steps, series, copy):
        shutil.rmtree(left_over, ignore_errors=True)
    store(dataset, name, steps, checks)
    with local_cluster() as client:
        print(f"\nA cluster of {len(client.ncores())} worker processes")
        result = reduce(dataset, name, steps, checks)
        rechunk(name, steps, series, checks)
        copy_and_consolidate(steps, copy, checks)
    look_at(name, copy, checks)
    return result


def store(dataset: xr.Dataset, name: str, path: str, checks: Checks) -> None:
    print(f"\nStore the dataset, one chunk for each step along {dataset[name].dims[0]!r}: {path}")
    data = dataset[name]
    packing = {key: data.encoding[key] for key in PACKING if key in data.encoding}
    chunks = chunks_within(1, data.shape[1:], np.dtype(packing.get("dtype", data.dtype)).itemsize)
    codec = zarrds.Blosc(cname="zstd", clevel=5, shuffle=zarrds.Blosc.BITSHUFFLE)
    to_zarrds(dataset, path, mode="w", encoding={name: {**packing, "chunks": chunks, "compressor": codec}})

    with xr.open_dataset(path, engine="zarrds") as stored:
        checks.claim("xarray reads back the same dataset: values, coordinates, attributes", stored.identical(dataset))
    array = zarrds.open(path, mode="r")[name]
    found = array.nchunks_initialized  # empty chunks (all fill value) are not stored
    checks.claim(f"chunks are {chunks}, {found} of {array.nchunks} stored", array.chunks == chunks and found > 0)
    print(f"         {array.nbytes / 1e6:.2f} MB take {array.nbytes_stored / 1e6:.2f} MB")


def reduce(dataset: xr.Dataset, name: str, path: str, checks: Checks) -> xr.DataArray:
    print("\nClimatology, computed by the workers", flush=True)
    with xr.open_dataset(path, engine="zarrds", chunks={}) as lazy:
        stored = zarrds.open(path, mode="r")[name].chunks
        checks.claim("dask blocks are the stored chunks", tuple(c[0] for c in lazy[name].chunks) == stored)
        with zarrds.dask.progress():
            result = climatology(lazy[name]).compute()
    # dask sums blocks in another order than numpy, so results are not equal bit for bit
    expected = climatology(dataset[name].astype("f8"))
    close = np.allclose(result, expected, rtol=1e-5, atol=1e-5 * float(abs(expected).max()), equal_nan=True)
    checks.claim("the cluster's result is that of numpy in memory", close)
    return result


def rechunk(name: str, source: str, target: str, checks: Checks) -> None:
    print(f"\nRechunk {name!r} from steps to series, within {MAX_MEM} in each task: {target}", flush=True)
    array = zarrds.open(source, mode="r")[name]
    chunks = chunks_within(array.shape[0], array.shape[1:], array.dtype.itemsize)
    job = zarrds.dask.rechunk(array, target, target_path=name, chunks=chunks, max_mem=MAX_MEM)
    held = job.plan.projected_mem
    checks.claim(f"the plan holds {held / 1e6:.1f} MB at most in a task", held <= parse_bytes(MAX_MEM))
    job.compute(progress=True)

    series = zarrds.open(target, mode="r")[name]
    checks.claim(f"one chunk holds all {array.shape[0]} steps: {chunks}", series.chunks == chunks)
    checks.claim("rechunked values are identical, bit for bit", same_bits(series[...], array[...]))
    checks.claim("attributes came along", series.attrs.asdict() == array.attrs.asdict())


def copy_and_consolidate(source: str, target: str, checks: Checks) -> None:
    print(f"\nCopy the store chunk by chunk, undecoded, and consolidate its metadata: {target}", flush=True)
    zarrds.dask.copy_store(source, target).compute(progress=True)
    zarrds.dask.consolidate_metadata(target).compute(progress=True)

    old, new = zarrds.open_group(source, mode="r"), zarrds.open_consolidated(target, mode="r")
    names = sorted(old.array_keys())
    checks.claim(f"the copy has the same arrays: {', '.join(names)}", sorted(new.array_keys()) == names)
    same = all(new[item].hexdigest() == old[item].hexdigest() for item in names)
    checks.claim("checksums of chunks, metadata and attributes agree", same)


def look_at(name: str, path: str, checks: Checks) -> None:
    print("\nThe same data without xarray and dask")
    root = zarrds.open(path, mode="r")
    print(root.tree(), root[name].info, sep="\n\n")
    key = (0, *(slice(None, None, 4),) * (root[name].ndim - 2), slice(10, 20))
    shown = ", ".join(f"{k.start or ''}:{k.stop or ''}{f':{k.step}' if k.step else ''}" for k in key[1:])
    checks.claim(
        f"zarrds.open(...)[{name!r}][0, {shown}] is what numpy selects",
        same_bits(root[name][key], root[name][...][key]),
    )


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether dtype, shape and bytes are equal: NaNs too, and -0.0 is not 0.0."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def draw_map(ax: Axes, field: xr.DataArray, *, label: str, cmap: str = "RdYlBu_r") -> None:
    """Draw a map of a field with two dimensions, rows first, with a colour bar below."""
    rows, columns = field.dims
    low, high = np.nanpercentile(field, [1, 99])
    mesh = ax.pcolormesh(
        field[columns], field[rows], field, cmap=cmap, vmin=low, vmax=high, shading="nearest", rasterized=True
    )
    ax.figure.colorbar(
        mesh, ax=ax, orientation="horizontal", pad=0.03, aspect=40, shrink=0.8, extend="both", label=label
    )
    ax.set(xlabel=columns, ylabel=rows)
