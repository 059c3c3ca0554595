"""The command that measures how fast a place is: it writes an array there, reads it, and deletes it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click
import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds.cli.options import Access, access_options, as_json
from zarrds.cli.places import is_url, store_at
from zarrds.cli.printing import echo_json, echo_table, echo_text, size_of
from zarrds.creation import create
from zarrds.hierarchy import open_group

__all__ = ["bench"]

_SIDE = 512
_SLICES = 100
_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30, "b": 1, "": 1}


def _bytes(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Parse a number of bytes: 64MB, 1GiB, 1000000."""
    number = value.strip().rstrip("bBgGiIkKmM")
    unit = value.strip()[len(number) :].lower()
    try:
        found = int(float(number) * _UNITS[unit])
    except (KeyError, ValueError):
        raise click.BadParameter(f"expected bytes such as 64MB or 1GiB, found {value!r}") from None
    if not 2**20 <= found <= 2**40:
        raise click.BadParameter(f"expected at least 1MiB and at most 1TiB, found {value!r}")
    return found


@click.command()
@click.argument("place", metavar="STORE")
@click.option("--size", callback=_bytes, default="64MB", show_default=True, help="Bytes of the array.")
@click.option("--zarr-format", type=click.Choice(["2", "3"]), default="2", show_default=True)
@click.option("--shards", is_flag=True, help="Store 16 chunks in a shard (Zarr v3).")
@as_json
@access_options
def bench(place: str, size: int, zarr_format: str, shards: bool, as_json: bool, access: Access) -> None:
    """Measure a folder or URL: write an array, read it whole and in slices, list and open it, and delete it.

    The array is in a new folder in STORE; what is there does not change. Data are half random, so that compression has
    something to do; chunks are 1 MiB of float32. Reads may come from the cache of the system.

    \b
    Example:
      zarrds bench /scratch --size 1GB
    """
    folder = f"{place.rstrip('/')}/zarrds-bench-{uuid.uuid4().hex[:12]}"
    made = _missing_folders(folder)
    store = store_at(folder, access.options(place), "w")
    try:
        found = _measured(store, size, 3 if shards else int(zarr_format), shards=shards)
    finally:
        store.rmdir("")
        store.close()
        for path in made:
            with suppress(OSError):  # not empty: somebody else has written there meanwhile
                os.rmdir(path)
    if as_json:
        echo_json("bench", {"store": repr(store), "nbytes": size, "results": found})
        return
    echo_text(f"{size_of(size)} as Zarr v{3 if shards else zarr_format}{' in shards' if shards else ''} in {store!r}")
    rows = [[row["what"], f"{row['seconds']:.3f}", f"{row['cpu_seconds']:.3f}", row["rate"]] for row in found]
    echo_table(["what", "seconds", "CPU seconds", "rate"], rows, right=("seconds", "CPU seconds", "rate"))


def _missing_folders(folder: str) -> list[str]:
    """Return the folders on the way to a path that do not exist yet, the innermost first; none for a URL."""
    found: list[str] = []
    at = os.path.abspath(os.path.expanduser(folder))
    while not (is_url(folder) or os.path.exists(at)):
        found.append(at)
        at = os.path.dirname(at)
    return found


def _measured(store: Any, size: int, zarr_format: Any, *, shards: bool) -> list[dict[str, Any]]:
    depth = max(1, size // (_SIDE * _SIDE * 4))
    data = _data(depth)
    options: dict[str, Any] = {"shards": (min(16, depth), _SIDE, _SIDE)} if shards else {}
    array = create(
        (depth, _SIDE, _SIDE),
        chunks=(1, _SIDE, _SIDE),
        dtype="f4",
        store=store,
        path="array",
        zarr_format=zarr_format,
        **options,
    )
    rng = np.random.default_rng(0)
    places = [tuple(int(n) for n in row) for row in rng.integers(0, (depth, _SIDE - 8, _SIDE - 8), (_SLICES, 3))]

    def slices() -> None:
        for z, y, x in places:
            array[z, y : y + 8, x : x + 8]

    def whole(write: bool) -> None:
        step = 16
        for at in range(0, depth, step):
            if write:
                array[at : at + step] = data[: min(step, depth - at)]
            else:
                array[at : at + step]

    return [
        _timed("write", lambda: whole(True), array.nbytes),
        _timed("read", lambda: whole(False), array.nbytes),
        _timed(f"{_SLICES} slices of 8 x 8", slices, 0, _SLICES),
        _timed("list the keys", lambda: list(store.keys_below("")), 0, array.nchunks),
        _timed("open 100 times", lambda: [open_group(store, mode="r")["array"] for _ in range(100)], 0, 100),
    ]


def _data(depth: int) -> NDArrayAny:
    """Return numbers for some chunks: random in their lower half, smooth in their upper half."""
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 100, _SIDE * _SIDE, dtype="f4").reshape(_SIDE, _SIDE)
    found = np.broadcast_to(smooth, (min(16, depth), _SIDE, _SIDE)).copy()
    found[:, _SIDE // 2 :] += rng.normal(size=(found.shape[0], _SIDE // 2, _SIDE)).astype("f4")
    return found


def _timed(what: str, act: Callable[[], Any], nbytes: int, count: int = 0) -> dict[str, Any]:
    started, cpu = time.perf_counter(), time.process_time()
    act()
    seconds, used = time.perf_counter() - started, time.process_time() - cpu
    per_second = (nbytes or count) / max(seconds, 1e-9)
    rate = f"{size_of(int(per_second))}/s" if nbytes else f"{per_second:,.0f}/s"
    return {"what": what, "seconds": round(seconds, 6), "cpu_seconds": round(used, 6), "rate": rate}
