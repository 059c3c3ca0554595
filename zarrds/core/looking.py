"""Which chunks of an array exist, for pictures of it: bounded work, whatever the array and its store are."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import NamedTuple

from zarrds._base.types import Shape
from zarrds._engine import OpenSource, stored_chunks
from zarrds._format import grid_shape
from zarrds._store import DirectoryStore, KVStore, MemoryStore, NestedDirectoryStore
from zarrds.core.html import cell_bounds
from zarrds.errors import NotListableError

__all__ = ["Looked", "is_quick", "looked_at"]

MOST_LOOKED_UP = 1024
"""Most chunks that are looked up, or listed, for one picture."""
_QUICK = (DirectoryStore, NestedDirectoryStore, KVStore, MemoryStore)
"""Stores in which looking up a key costs some microseconds."""


class Looked(NamedTuple):
    """What was found: coordinates of stored chunks, None if nobody looked; how many were looked up if not all were."""

    coords: list[tuple[int, ...]] | None
    sampled: int | None
    total: int

    @property
    def is_complete(self) -> bool:
        """Whether every chunk was looked up."""
        return self.coords is not None and self.sampled is None

    @property
    def text(self) -> str:
        """The number of stored chunks, or what is known of it."""
        if self.coords is None:
            return f"not looked up, of {self.total}"
        if self.sampled is None:
            return f"{len(self.coords)}/{self.total}"
        return f"{len(self.coords)} of {self.sampled} that were looked up, of {self.total}"


def looked_at(source: OpenSource) -> Looked:
    """Return which chunks of an array are stored.

    Small grids are listed, of large ones some chunks are looked up where that costs little, evenly over the picture. On
    a network nothing is asked: showing an array must not take requests.
    """
    grid = grid_shape(source.meta.shape, source.meta.write_unit)
    count = prod(grid)
    if source.store.profile.kind == "network":
        return Looked(None, None, count)
    if count <= MOST_LOOKED_UP:
        try:
            return Looked(list(stored_chunks(source)), None, count)
        except NotListableError:
            return Looked(None, None, count)
    if type(source.store) not in _QUICK:
        return Looked(None, None, count)
    asked = _spread(grid)
    return Looked([coords for coords in asked if source.key(coords) in source.store], len(asked), count)


def is_quick(source: OpenSource) -> bool:
    """Return whether listing the chunks of an array costs little: there are few, in memory or in a local directory."""
    count = prod(grid_shape(source.meta.shape, source.meta.write_unit))
    return count <= MOST_LOOKED_UP and type(source.store) in _QUICK


def _spread(grid: Shape) -> list[tuple[int, ...]]:
    """Return coordinates of chunks: the first of each cell of the picture, spread over the other dimensions."""
    cells = [[first for first, _ in cell_bounds(length)] for length in grid[-2:]]
    rounds = max(1, MOST_LOOKED_UP // prod(len(firsts) for firsts in cells))
    leading = prod(grid[:-2])
    found = []
    for number in range(min(rounds, leading)):
        at, before = number * leading // min(rounds, leading), []
        for length in reversed(grid[:-2]):
            at, index = divmod(at, length)
            before.append(index)
        found += [(*reversed(before), *last) for last in product(*cells)]
    return found
