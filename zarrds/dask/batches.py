"""Cut the chunks of many arrays into parts, and combine parts into batches: one batch for each task.

A part is a range of the chunks of one array in the flat order of its grid, so that nothing per chunk is in a graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from zarrds._base.types import Shape
from zarrds.errors import ArgumentTypeError

__all__ = ["Batches", "Limits", "Part", "coords_between", "count_of", "flat_ranges"]

MAX_TASKS = 1000
"""Largest number of tasks in a graph; with more work, each task does more."""

LEAST_TASKS = 64
"""Number of tasks that a job with enough chunks has at least."""

Ranges = Sequence[tuple[int, int]]


class Part(NamedTuple):
    """Some chunks of one array: the array's number, the first chunk, and one past the last."""

    number: int
    start: int
    stop: int


Batch = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits of the work of one task.

    Attributes
    ----------
    keys : int
        Chunks.
    nbytes : int
        Their decoded bytes.
    at_least : int
        Chunks that a task does even if they exceed `nbytes`, so that there are not too many tasks.
    """

    keys: int
    nbytes: int
    at_least: int = 1

    @classmethod
    def of(cls, keys: int, nbytes: int, total: int) -> Limits:
        """Return the limits of one task when there are `total` chunks in all.

        A small job has some 64 tasks too, so that little is lost if it is stopped.
        """
        given: dict[str, Any] = {"batch_keys": keys, "batch_bytes": nbytes}
        for name, value in given.items():
            if not isinstance(value, Real):
                raise ArgumentTypeError(f"{name} must be a number, found {type(value).__name__}")
        keys = min(keys, -(-total // LEAST_TASKS))
        # a power of two, so that a repeated job, part of which is done, mostly has the same batches as the first one
        return cls(max(1, keys), max(1, nbytes), 1 << (-(-total // MAX_TASKS) - 1).bit_length() if total else 1)

    def chunks(self, chunk_bytes: int, weight: int = 1) -> int:
        """Return how many chunks of `chunk_bytes` one task does; each counts as `weight` chunks."""
        return max(1, self.at_least, min(self.keys, self.nbytes // max(1, chunk_bytes)) // weight)


class Batches:
    """Batches of the chunks of arrays that are added one by one.

    An array that fills several batches does not share them, so they do not depend on other arrays. Small arrays share
    batches; each is whole in one batch.

    Attributes
    ----------
    shared : list of tuple of Part
        Batches of small arrays.
    own : dict of int to list of tuple of Part
        Batches of large arrays, by their numbers.
    """

    def __init__(self) -> None:
        self.shared: list[Batch] = []
        self.own: dict[int, list[Batch]] = {}
        self._filling: list[Part] = []
        self._filled = 0.0

    def add(self, number: int, ranges: Ranges, most: int) -> None:
        """Add ranges of chunks of an array; one task does at most `most` of them."""
        count = count_of(ranges)
        if count > most:
            even = -(-count // -(-count // most))
            self.own[number] = [tuple(Part(number, *some) for some in batch) for batch in _cut(ranges, even)]
            return
        if self._filled + count / most > 1:
            self.close()
        # an array without chunks needs a part too: its documents are written by a task
        self._filling += [Part(number, *some) for some in ranges] or [Part(number, 0, 0)]
        self._filled += max(count, 1) / most

    def close(self) -> None:
        """Finish the batch that small arrays are being added to."""
        if self._filling:
            self.shared.append(tuple(self._filling))
        self._filling, self._filled = [], 0.0

    def every(self) -> list[Batch]:
        """Return all batches."""
        return [*self.shared, *(batch for own in self.own.values() for batch in own)]


def count_of(ranges: Ranges) -> int:
    """Return the number of chunks in all ranges."""
    return sum(stop - start for start, stop in ranges)


def _cut(ranges: Ranges, most: int) -> Iterator[list[tuple[int, int]]]:
    """Yield lists of ranges that have `most` chunks together."""
    found: list[tuple[int, int]] = []
    room = most
    for start, stop in ranges:
        while start < stop:
            end = min(stop, start + room)
            found.append((start, end))
            room -= end - start
            start = end
            if not room:
                yield found
                found, room = [], most
    if found:
        yield found


def coords_between(grid: Shape, start: int, stop: int) -> Iterator[tuple[int, ...]]:
    """Return the coordinates of the chunks from `start` to `stop`, in C order of a grid."""
    if not grid:
        return iter([()] * (stop - start))
    return zip(*(axis.tolist() for axis in np.unravel_index(np.arange(start, stop), grid)), strict=True)


def flat_ranges(grid: Shape, coords: Iterable[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return the ranges, in C order of a grid, that contain exactly these coordinates."""
    found = list(coords)
    if not grid or not found:
        return [(0, 1)] if found else []
    flat = np.sort(np.ravel_multi_index(tuple(np.array(found).T), grid))
    ends = np.flatnonzero(np.diff(flat) > 1)
    starts, stops = flat[np.r_[0, ends + 1]], flat[np.r_[ends, len(flat) - 1]] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))
