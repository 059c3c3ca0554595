"""Compare zarrds with a bare loop, numpy and the installed peers: time for the same work, in turns.

    python benchmarks/run.py [--rounds 5] [--json FILE]

The bare loop ("floor") reads and writes chunk files and calls the codec in one Python thread, and does nothing
else. Stores are in a memory file system if there is one, so that no disk is timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from operator import getitem
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

import zarrds

SHAPE, CHUNKS = (32, 1024, 1024), (1, 512, 512)
CODEC = numcodecs.Blosc("lz4", 5)
SLICES = [(i % 32, 100 + i % 800, slice(0, 64)) for i in range(300)]
Work = dict[str, Callable[[], Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        seconds = {name: measure(work, args.rounds) for name, work in works(Path(folder)).items()}
    print_table(seconds)
    if args.json:
        args.json.write_text(json.dumps(seconds, indent=1) + "\n")


def works(folder: Path) -> dict[str, Work]:
    """Return the work to time: for each kind of work a function for each system, zarrds first."""
    wave = 100 * np.sin(np.linspace(0, 300, int(np.prod(SHAPE)), dtype="f4")).reshape(SHAPE)
    data = np.round(wave + np.random.default_rng(0).normal(0, 0.5, SHAPE).astype("f4"), 2)
    path, plain = folder / "stored", folder / "plain.npy"
    save = partial(zarrds.save_array, arr=data, chunks=CHUNKS, compressor=CODEC)
    save(str(path))
    np.save(plain, data)
    bare = {"floor": partial(floor_write, folder / "f", data), "numpy, raw": partial(np.save, folder / "n", data)}
    write, read, opening, slices = {"zarrds": partial(save, str(folder / "w")), **bare}, {}, {}, {}
    for name, (open_array, get) in systems(str(path)).items():
        read[name] = lambda open_array=open_array, get=get: get(open_array(), Ellipsis)
        opening[name] = open_array
        slices[name] = lambda array=open_array(), get=get: [get(array, key) for key in SLICES]  # noqa: B008
    read |= {"floor": partial(floor_read, path), "numpy, raw": partial(np.load, plain)}
    return {"write 128 MiB": write, "read 128 MiB": read, "open": opening, "300 small slices": slices}


def systems(path: str) -> dict[str, tuple[Callable[[], Any], Callable[[Any, Any], Any]]]:
    """Return functions by which each system opens the store that zarrds wrote and reads a selection."""
    found = {"zarrds": (partial(zarrds.open, path, mode="r"), getitem)}
    try:
        import zarr

        found[f"zarr-python {zarr.__version__}"] = partial(zarr.open, path, mode="r"), getitem
    except ImportError:
        pass
    try:
        import tensorstore

        spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": path}}
        found["tensorstore"] = lambda: tensorstore.open(spec).result(), lambda array, key: array[key].read().result()
    except ImportError:
        pass
    return found


def blocks() -> list[tuple[str, tuple[slice, ...]]]:
    grid = [size // chunk for size, chunk in zip(SHAPE, CHUNKS, strict=True)]
    return [
        (".".join(map(str, at)), tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, CHUNKS, strict=True)))
        for at in np.ndindex(*grid)
    ]


def floor_read(folder: Path) -> None:
    out = np.empty(SHAPE, "f4")
    for name, part in blocks():
        out[part] = np.frombuffer(CODEC.decode((folder / name).read_bytes()), "f4").reshape(CHUNKS)


def floor_write(folder: Path, data: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    for name, part in blocks():
        (folder / name).write_bytes(CODEC.encode(np.ascontiguousarray(data[part])))


def measure(work: Work, rounds: int) -> dict[str, float]:
    """Return median seconds; systems take turns, so that a busy moment affects all; the first turn is ignored."""
    times: dict[str, list[float]] = {system: [] for system in work}
    for system, run in [*work.items()] * (rounds + 1):
        start = time.perf_counter()
        run()
        times[system].append(time.perf_counter() - start)
    return {system: statistics.median(taken[1:]) for system, taken in times.items()}


def print_table(seconds: dict[str, dict[str, float]]) -> None:
    print(f"{'':<18}{'':<20}{'ms':>10}{'x zarrds':>10}")
    for work, taken in seconds.items():
        for system, median in taken.items():
            print(f"{work:<18}{system:<20}{1e3 * median:>10.2f}{median / taken['zarrds']:>10.2f}")


if __name__ == "__main__":
    main()
