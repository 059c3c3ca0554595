"""The work that is timed. `prepare` makes what a case needs, untimed; `begin` runs before each timed `run`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from systems import Floor, Shape, System

ALL = ("zarrds", "floor", "zarr-python", "zarrs", "tensorstore", "zarrista")
WITHOUT_FLOOR = tuple(name for name in ALL if name != "floor")
BY_ARRAYS = tuple(name for name in WITHOUT_FLOOR if name != "zarrista")
LARGE, MEDIUM, SMALL = (64, 1024, 1024), (32, 1024, 1024), (4, 1024, 1024)


def field(shape: Shape) -> np.ndarray[Any, Any]:
    """Return smooth float32 layers with rounded noise; lz4 leaves about 70 % of them, zstd 50 %."""
    count = int(np.prod(shape[1:]))
    wave = 100 * np.sin(np.linspace(0, 300, count, dtype="f4"))
    noise = np.random.default_rng(0).normal(0, 0.5, count).astype("f4")
    layer = np.round(wave + noise, 2)
    return np.stack([np.roll(layer, 4321 * number) for number in range(shape[0])]).reshape(shape)


@dataclass
class Case:
    """Base of the cases: an array of float32 in chunks, stored by the bare loop."""

    shape: Shape
    chunks: Shape
    codec: str = "lz4"
    systems: tuple[str, ...] = ALL

    def prepare(self, system: System, folder: Path) -> None:
        floor = Floor()
        floor.write(floor.create(folder / "stored", self.shape, self.chunks, self.codec), field(self.shape))

    def begin(self, system: System, folder: Path) -> None:
        pass

    def run(self, system: System, folder: Path) -> Any:
        return system.read(system.open(folder / "stored"))


class Write(Case):
    def prepare(self, system: System, folder: Path) -> None:
        self.data = field(self.shape)

    def begin(self, system: System, folder: Path) -> None:
        shutil.rmtree(folder / "new", ignore_errors=True)

    def run(self, system: System, folder: Path) -> Any:
        system.write(system.create(folder / "new", self.shape, self.chunks, self.codec), self.data)


class Open(Case):
    def run(self, system: System, folder: Path) -> Any:
        for _ in range(300):
            system.open(folder / "stored")


@dataclass
class Selected(Case):
    """A selection of an array that is open."""

    kind: str = "slices"
    count: int = 1000

    def begin(self, system: System, folder: Path) -> None:
        rng = np.random.default_rng(1)
        self.array = system.open(folder / "stored")
        if self.kind == "points":
            self.key: Any = tuple(rng.integers(0, n, self.count) for n in self.shape)
        elif self.kind == "outer":
            self.key = tuple(np.sort(rng.choice(n, min(n, self.count), replace=False)) for n in self.shape)
        else:
            starts = rng.integers(0, self.shape[:-1], (self.count, len(self.shape) - 1)).tolist()
            self.key = [(*start, slice(0, 64)) for start in starts]

    def run(self, system: System, folder: Path) -> Any:
        if self.kind == "slices":
            return [system.read(self.array, key) for key in self.key]
        return getattr(system, self.kind)(self.array, self.key)


@dataclass
class Sharded(Selected):
    """Shards of Zarr v3; each system reads what it has written itself."""

    shards: Shape = ()

    def prepare(self, system: System, folder: Path) -> None:
        self.data = field(self.shape)
        self._write(system, folder / "stored")

    def _write(self, system: System, path: Path) -> None:
        system.write(system.create_sharded(path, self.shape, self.chunks, self.shards), self.data)

    def begin(self, system: System, folder: Path) -> None:
        shutil.rmtree(folder / "new", ignore_errors=True)
        super().begin(system, folder)

    def run(self, system: System, folder: Path) -> Any:
        if self.kind == "write":
            return self._write(system, folder / "new")
        if self.kind == "read":
            return system.read(system.open(folder / "stored"))
        return super().run(system, folder)


IN_SHARDS: dict[str, Any] = {"chunks": (1, 128, 128), "shards": (1, 1024, 1024), "systems": WITHOUT_FLOOR}
CASES: dict[str, Case] = {
    "read 1 MiB lz4": Case(LARGE, (1, 512, 512)),
    "read 4 MiB zstd": Case(LARGE, (1, 1024, 1024), "zstd"),
    "read 1 MiB raw": Case(LARGE, (1, 512, 512), "raw"),
    "read 64 KiB lz4": Case(MEDIUM, (1, 128, 128)),
    "read 4 KiB lz4": Case(SMALL, (1, 32, 32)),
    "write 1 MiB lz4": Write(LARGE, (1, 512, 512)),
    "write 4 MiB zstd": Write(LARGE, (1, 1024, 1024), "zstd"),
    "write 64 KiB lz4": Write(MEDIUM, (1, 128, 128)),
    "100,000 points": Selected(LARGE, (1, 512, 512), systems=BY_ARRAYS, kind="points", count=100_000),
    "outer, 300 each": Selected(LARGE, (1, 512, 512), systems=BY_ARRAYS, kind="outer", count=300),
    "1000 small slices": Selected(MEDIUM, (1, 128, 128), systems=WITHOUT_FLOOR),
    "open 300 times": Open(SMALL, (1, 32, 32), systems=WITHOUT_FLOOR),
    "write shards": Sharded(MEDIUM, **IN_SHARDS, kind="write"),
    "read shards": Sharded(MEDIUM, **IN_SHARDS, kind="read"),
    "1000 slices of shards": Sharded(MEDIUM, **IN_SHARDS),
}
