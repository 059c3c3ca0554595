"""Measure the time to write and read chunks in a remote service, for zarrds and the installed peers.

    python benchmarks/latency.py [--chunks 400] [--milliseconds 20] [--rounds 3]

The service is a file system of fsspec that keeps objects in memory and answers each request after a fixed time. The
"floor" is ceil(chunks / 64) times that. The service counts the largest number of requests at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from math import ceil
from typing import Any

import numpy as np
from fsspec.asyn import AsyncFileSystem


class FarFileSystem(AsyncFileSystem):
    """Objects in a dict, each request answered after ``seconds``."""

    protocol = "far"
    cachable = False
    objects: dict[str, bytes] = {}  # noqa: RUF012  # of all instances: peers make their own
    running = most_running = requests = 0

    def __init__(self, seconds: float = 0.02, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    async def _answer(self) -> None:
        cls = type(self)
        cls.requests += 1
        cls.running += 1
        cls.most_running = max(cls.running, cls.most_running)
        await asyncio.sleep(self.seconds)
        cls.running -= 1

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        await self._answer()
        if path not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[path][start:end]

    async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        await self._answer()
        self.objects[path] = bytes(value)

    async def _rm_file(self, path: str, **kwargs: Any) -> None:
        await self._answer()
        if self.objects.pop(path, None) is None:
            raise FileNotFoundError(path)

    async def _info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        await self._answer()
        if path in self.objects:
            return {"name": path, "size": len(self.objects[path]), "type": "file"}
        if any(key.startswith(path + "/") for key in self.objects):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        await self._answer()
        below = {path + "/" + key[len(path) + 1 :].split("/")[0] for key in self.objects if key.startswith(path + "/")}
        entries = [{"name": name, "size": 0, "type": "file"} for name in sorted(below)]
        return entries if detail else [entry["name"] for entry in entries]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=400)
    parser.add_argument("--milliseconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    seconds = args.milliseconds / 1000
    floor = ceil(args.chunks / 64) * seconds
    print(f"{'':<22}{'write ms':>10}{'read ms':>10}{'in flight':>11}{'requests':>10}   (floor {1000 * floor:.0f} ms)")
    for name in ("zarrds", "zarr"):
        try:
            package = import_module(name)
        except ImportError:
            continue
        measure(f"{name} {package.__version__}", package, args.chunks, seconds, args.rounds)


def measure(name: str, package: Any, chunks: int, seconds: float, rounds: int) -> None:
    data = np.arange(chunks * 1000, dtype="i4").reshape(chunks, 1000)
    best = [float("inf")] * 2
    for number in range(rounds):
        z = new_array(package, f"bucket/{name.replace(' ', '-')}-{number}", data, seconds)
        FarFileSystem.requests = FarFileSystem.most_running = 0
        times = [timed(partial(z.__setitem__, Ellipsis, data)), timed(partial(z.__getitem__, Ellipsis))]
        best = list(map(min, best, times))
    print(f"{name:<22}{1000 * best[0]:>10.0f}{1000 * best[1]:>10.0f}", end="")
    print(f"{FarFileSystem.most_running:>11}{FarFileSystem.requests:>10}")


def new_array(package: Any, path: str, data: np.ndarray[Any, Any], seconds: float) -> Any:
    settings = {"shape": data.shape, "chunks": (1, data.shape[1]), "dtype": data.dtype}
    if hasattr(package.storage, "FsspecStore"):
        store = package.storage.FsspecStore(FarFileSystem(seconds, asynchronous=True), path=path)
        return package.create_array(store, **settings)
    store = package.storage.FSStore(path, fs=FarFileSystem(seconds))
    return package.open_array(store, mode="w", **settings)


def timed(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
