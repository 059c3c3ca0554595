"""Say where each microsecond goes: CPU time for each chunk of a whole read or write in one thread, by its parts.

Each part is timed alone, in a loop that does nothing else; what is left of the whole is Python code of zarrds.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from cases import field
from numcodecs import blosc
from systems import codec_of, region

import zarrds
from zarrds._plan import plan_everything

SIZES = {"4 KiB": ((4, 1024, 1024), (1, 32, 32)), "64 KiB": ((16, 1024, 1024), (1, 128, 128))}
SIZES["1 MiB"] = ((64, 1024, 1024), (1, 512, 512))


def parts(folder: Path, rounds: int = 5) -> dict[str, dict[str, float]]:
    """Return for reads and writes of chunks of several sizes the microseconds of each part, and of the whole."""
    found: dict[str, dict[str, float]] = {}
    with zarrds.config_context(threads=1):
        for size, (shape, chunks) in SIZES.items():
            case = _Case(folder, shape, chunks)
            for kind in ("read", "write"):
                works = {name.replace("_", " "): getattr(case, f"{kind}_{name}") for name in ("whole", *MEASURED)}
                taken = {name: case.microseconds(work, rounds) for name, work in works.items()}
                whole = taken.pop("whole")
                taken["other Python"] = whole - sum(taken.values())
                found[f"{kind} {size}"] = {**taken, "whole": whole}
    return found


MEASURED = ("system_calls", "codec", "copy", "plan_and_keys")


class _Case:
    """One array whose chunks are compressed with lz4, and each part of the work on all of its chunks."""

    def __init__(self, folder: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        self.shape, self.chunks, self.codec = shape, chunks, codec_of("lz4")
        self.data, self.out = field(shape), np.zeros(shape, "f4")
        places = list(itertools.product(*(range(n // c) for n, c in zip(shape, chunks, strict=True))))
        self.regions = [region(place, chunks) for place in places]
        self.names = [".".join(map(str, place)) for place in places]
        self.path, self.bare = str(folder / "stored"), str(folder / "bare")
        self.array = zarrds.open(self.path, mode="w", shape=shape, chunks=chunks, dtype="f4", compressor=self.codec)
        self.array[...] = self.data
        self.values = [Path(self.path, name).read_bytes() for name in self.names]
        self.decoded = [np.ascontiguousarray(self.data[part]) for part in self.regions]

    def microseconds(self, work: Callable[[], Iterable[Any] | None], rounds: int) -> float:
        """Return the least CPU time for each chunk; what disturbs a run only adds to it."""
        taken = []
        for _ in range(rounds):
            shutil.rmtree(self.bare, ignore_errors=True)
            os.mkdir(self.bare)
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
        return 1e6 * min(taken) / len(self.names)

    def read_whole(self) -> None:
        self.array.get_basic_selection(..., out=self.out)

    def read_system_calls(self) -> None:
        for name, value in zip(self.names, self.values, strict=True):
            file = os.open(f"{self.path}/{name}", os.O_RDONLY)
            os.read(file, len(value) + 1)
            os.close(file)

    def read_codec(self) -> None:
        for value in self.values:
            blosc.decompress(value)

    def read_copy(self) -> None:
        for part, decoded in zip(self.regions, self.decoded, strict=True):
            self.out[part] = decoded

    def read_plan_and_keys(self) -> None:
        key = self.array.source().meta.keys.key
        for projection in plan_everything(self.shape, self.chunks):
            key(projection.coords)

    def write_whole(self) -> None:
        options = {"shape": self.shape, "chunks": self.chunks, "dtype": "f4", "compressor": self.codec}
        zarrds.open(self.bare, mode="w", **options)[...] = self.data

    def write_system_calls(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        for name, value in zip(self.names, self.values, strict=True):
            place = f"{self.bare}/{name}"
            file = os.open(f"{place}.partial", flags, 0o666)
            os.write(file, value)
            os.close(file)
            os.replace(f"{place}.partial", place)

    def write_codec(self) -> None:
        for decoded in self.decoded:
            self.codec.encode(decoded)

    def write_copy(self) -> None:
        for part in self.regions:
            np.ascontiguousarray(self.data[part])

    write_plan_and_keys = read_plan_and_keys
