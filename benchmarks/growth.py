"""Measure how the cost of metadata and plans grows with the number of chunks, for zarrds alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import zarrds

COUNTS = (10**2, 10**3, 10**4, 10**5, 10**6)
FLAT = "one call, whatever the number of chunks"
LINEAR = "one call that looks at every stored chunk"
MOST_STORED = 10**5


def growth(rounds: int = 5) -> dict[str, dict[str, Any]]:
    """Return for each operation its kind, and CPU milliseconds by the number of chunks."""
    found: dict[str, dict[str, Any]] = {}
    for count in COUNTS:
        works = [(FLAT, name, work) for name, work in flat_works(count).items()]
        if count <= MOST_STORED:
            works += [(LINEAR, name, work) for name, work in linear_works(count).items()]
        for kind, name, work in works:
            entry = found.setdefault(name, {"kind": kind, "milliseconds": {}})
            entry["milliseconds"][str(count)] = 1e3 * cpu_seconds(work, rounds)
    return found


def flat_works(count: int) -> dict[str, Callable[[], Any]]:
    """Return work on an array of that many chunks, none of which is stored."""
    import zarrds.dask

    store = zarrds.MemoryStore()
    array = zarrds.zeros((count,), chunks=(1,), dtype="i4", store=store)
    grid = zarrds.zeros((count // 10, 10), chunks=(1, 1), dtype="i4")
    growing = zarrds.zeros((count,), chunks=(1,), dtype="i4")
    changing = zarrds.zeros((count,), chunks=(1,), dtype="i4")

    def resize() -> None:
        changing.resize(count - 1)
        changing.resize(count)

    return {
        "create": lambda: zarrds.zeros((count,), chunks=(1,), dtype="i4"),
        "open": lambda: zarrds.open(store, mode="r"),
        "read one chunk": lambda: array[count // 2],
        "append one chunk": lambda: growing.append([1]),
        "resize by one chunk": resize,
        "from_zarr, one dimension": lambda: zarrds.dask.from_zarr(array),
        "from_zarr, two dimensions": lambda: zarrds.dask.from_zarr(grid),
    }


def linear_works(count: int) -> dict[str, Callable[[], Any]]:
    """Return work on a group with one array, all of whose chunks are stored."""
    store = zarrds.MemoryStore()
    group = zarrds.group(store)
    array = group.zeros("a", shape=(count,), chunks=(1,), dtype="i4", compressor=None)
    for number in range(count):
        store[f"a/{number}"] = b"\1\0\0\0"
    return {
        "nchunks_initialized": lambda: array.nchunks_initialized,
        "list keys": lambda: sum(1 for _ in store),
        "read all chunks": lambda: array[:],
        "consolidate": lambda: zarrds.consolidate_metadata(store),
    }


def cpu_seconds(work: Callable[[], Any], rounds: int) -> float:
    """Return the median CPU time of one call; quick calls are repeated within a round."""
    start = time.process_time()
    work()
    repeats = max(1, min(100, int(0.005 / max(time.process_time() - start, 1e-6))))
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeats):
            work()
        taken.append((time.process_time() - start) / repeats)
    return statistics.median(taken)
