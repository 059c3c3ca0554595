"""Projections along one dimension: which chunks a selection item meets, and which part of each.

A dimension returns its entries as a `Table` of columns for any range of the chunks it meets, so that a long dimension
needs no memory per chunk. It is independent of the other dimensions; `GridPlan` combines them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zarrds._base.edges import Edges
from zarrds._base.types import Shape

__all__ = [
    "ArrayDim",
    "Dim",
    "EdgeIntDim",
    "EdgeSliceDim",
    "IntDim",
    "OpenDim",
    "PartEntry",
    "SliceDim",
    "Table",
    "group_starts",
    "int_dim",
    "is_distinct",
    "slice_dim",
    "table_of_array",
]

PartEntry: TypeAlias = int | slice | NDArray[np.intp]


Row: TypeAlias = tuple[int, PartEntry, PartEntry | None, bool]
"""One entry: position in the chunk grid, region of the chunk, region of the result or None, whole."""


class Table(NamedTuple):
    """Entries of one dimension, by column: one row for each chunk met.

    Attributes
    ----------
    indices : sequence of int
        Positions in the chunk grid.
    chunk_parts : sequence of int, slice or int array
        Regions inside the chunks.
    out_parts : sequence of slice or int array, or None
        Regions of the result; None when the dimension is dropped.
    wholes : sequence of bool
        Whether each in-array position of the chunk is covered exactly once.
    """

    indices: Sequence[int]
    chunk_parts: Sequence[PartEntry]
    out_parts: Sequence[PartEntry] | None
    wholes: Sequence[bool]


class IntDim(NamedTuple):
    """One integer, within bounds: meets one chunk and is dropped from the result.

    With `kept`, the part inside the chunk is a slice of length 1, for plans with `drop_axes`.
    """

    at: int
    length: int
    chunk: int
    kept: bool = False

    @property
    def met(self) -> int:
        """Number of chunks met."""
        return 1

    def table(self, first: int, last: int) -> Table:
        """Return entries `first` up to `last` of the chunks met: there is only one."""
        position, part, _, whole = self.row()
        return Table((position,), (part,), None, (whole,))

    def row(self) -> Row:
        """Return the only entry."""
        position, offset = divmod(self.at, self.chunk)
        part: PartEntry = slice(offset, offset + 1, 1) if self.kept else offset
        return position, part, None, min(self.chunk, self.length - position * self.chunk) == 1


class SliceDim(NamedTuple):
    """A slice with step >= 1, within bounds: ``range(start, stop, step)`` has `items` elements."""

    start: int
    stop: int
    step: int
    items: int
    length: int
    chunk: int

    @property
    def met(self) -> int:
        """Number of chunks met."""
        if self.items == 0:
            return 0
        if self.step >= self.chunk:
            return self.items
        return (self.start + (self.items - 1) * self.step) // self.chunk - self.start // self.chunk + 1

    def table(self, first: int, last: int) -> Table:
        """Return entries `first` up to `last` of the chunks met."""
        if first >= last:
            return Table((), (), (), ())
        return self._dense_table(first, last) if self.step == 1 else self._strided_table(first, last)

    def row(self) -> Row | None:
        """Return the only entry; None if the slice meets no chunk, or several."""
        chunk, start, step, items = self.chunk, self.start, self.step, self.items
        position = start // chunk
        if items == 0 or (start + (items - 1) * step) // chunk != position:
            return None
        offset = start - position * chunk
        part = slice(offset, offset + (items - 1) * step + 1, step)
        return position, part, slice(0, items), items == min(chunk, self.length - position * chunk)

    def _dense_table(self, first: int, last: int) -> Table:
        """Return the table for step 1: all chunks except the first and last are whole, and share one slice."""
        chunk, start, stop = self.chunk, self.start, self.stop
        low, high = start // chunk + first, start // chunk + last
        full = slice(0, chunk, 1)
        parts, wholes = [full] * (last - first), [True] * (last - first)
        for row in {0, last - first - 1}:
            origin = (low + row) * chunk
            begin, end = max(start - origin, 0), min(stop - origin, chunk)
            if begin > 0 or end < chunk:
                parts[row] = slice(begin, end, 1)
                wholes[row] = begin == 0 and end == min(chunk, self.length - origin)
        edges = [max(low * chunk - start, 0), *range((low + 1) * chunk - start, high * chunk - start, chunk)]
        edges.append(min(high * chunk, stop) - start)
        return Table(range(low, high), parts, list(map(slice, edges, edges[1:])), wholes)

    def _strided_table(self, first: int, last: int) -> Table:
        """Return the table for larger steps, by arithmetic; if steps skip chunks, each element has its own chunk."""
        chunk, start, step = self.chunk, self.start, self.step
        indices, parts, outs, wholes = [], [], [], []
        for row in range(first, last):
            index = (start + row * step) // chunk if step >= chunk else start // chunk + row
            origin = index * chunk
            begin = max(-((start - origin) // step), 0)
            valid = min(chunk, self.length - origin)
            end = min(-((start - origin - valid) // step), self.items)
            offset = start + begin * step - origin
            indices.append(index)
            parts.append(slice(offset, offset + (end - begin - 1) * step + 1, step))
            outs.append(slice(begin, end))
            wholes.append(end - begin == valid)
        return Table(indices, parts, outs, wholes)


class EdgeIntDim(NamedTuple):
    """One integer along a dimension with irregular edges; as `IntDim`."""

    at: int
    length: int
    chunk: Edges
    kept: bool = False

    @property
    def met(self) -> int:
        """Number of chunks met."""
        return 1

    def table(self, first: int, last: int) -> Table:
        """Return entries `first` up to `last` of the chunks met: there is only one."""
        position, part, _, whole = self.row()
        return Table((position,), (part,), None, (whole,))

    def row(self) -> Row:
        """Return the only entry."""
        position, start, size = self.chunk.at(self.at)
        offset = self.at - start
        part: PartEntry = slice(offset, offset + 1, 1) if self.kept else offset
        return position, part, None, min(size, self.length - start) == 1


class EdgeSliceDim(NamedTuple):
    """A slice with step >= 1 along a dimension with irregular edges; as `SliceDim`."""

    start: int
    stop: int
    step: int
    items: int
    length: int
    chunk: Edges

    @property
    def met(self) -> int:
        """Number of chunks met."""
        if self.items == 0:
            return 0
        first, last = self._ends
        return last - first + 1 if self.step == 1 else len(self._met_by_steps())

    @property
    def _ends(self) -> tuple[int, int]:
        """Chunks of the first and the last element."""
        return self.chunk.at(self.start).at, self.chunk.at(self.start + (self.items - 1) * self.step).at

    def _met_by_steps(self) -> NDArray[np.int64]:
        """Return the chunks that have at least one element of a slice with gaps."""
        first, last = self._ends
        if last - first > self.items:
            positions = self.start + self.step * np.arange(self.items)
            return np.unique(self.chunk.find(positions)[0])
        borders = self.chunk.borders(first, last + 1)
        begins = self._elements_before(borders)
        return np.arange(first, last + 1)[begins[1:] > begins[:-1]]

    def _elements_before(self, borders: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many elements of the slice come before each border."""
        found: NDArray[np.int64] = np.clip(-((self.start - borders) // self.step), 0, self.items)
        return found

    def table(self, first: int, last: int) -> Table:
        """Return entries `first` up to `last` of the chunks met."""
        if first >= last or not self.items:
            return Table((), (), (), ())
        if self.step == 1:
            low = self._ends[0]
            indices = np.arange(low + first, low + last)
        else:
            indices = self._met_by_steps()[first:last]
        starts, ends = self.chunk.borders_of(indices)
        begins, stops = self._elements_before(starts), self._elements_before(ends)
        offsets = self.start + begins * self.step - starts
        lasts = offsets + (stops - begins - 1) * self.step + 1
        parts = [slice(begin, end, self.step) for begin, end in zip(offsets.tolist(), lasts.tolist(), strict=True)]
        outs = list(map(slice, begins.tolist(), stops.tolist()))
        wholes = (stops - begins == np.minimum(ends, self.length) - starts).tolist()
        return Table(indices.tolist(), parts, outs, wholes)

    def row(self) -> Row | None:
        """Return the only entry; None if the slice meets no chunk, or several."""
        if self.items == 0:
            return None
        position, start, size = self.chunk.at(self.start)
        offset, last = self.start - start, self.start + (self.items - 1) * self.step - start
        if last >= size:
            return None
        whole = self.items == min(size, self.length - start)
        return position, slice(offset, last + 1, self.step), slice(0, self.items), whole


def int_dim(at: int, length: int, chunk: int | Edges) -> IntDim | EdgeIntDim:
    """Return the projection of one integer along a dimension."""
    return EdgeIntDim(at, length, chunk) if isinstance(chunk, Edges) else IntDim(at, length, chunk)


def slice_dim(start: int, stop: int, step: int, items: int, length: int, chunk: int | Edges) -> SliceDim | EdgeSliceDim:
    """Return the projection of a slice along a dimension."""
    if isinstance(chunk, Edges):
        return EdgeSliceDim(start, stop, step, items, length, chunk)
    return SliceDim(start, stop, step, items, length, chunk)


class ArrayDim(NamedTuple):
    """A one-dimensional integer array, grouped by chunk once."""

    items: int
    rows: Table

    @property
    def met(self) -> int:
        """Number of chunks met."""
        return len(self.rows.indices)

    def table(self, first: int, last: int) -> Table:
        """Return entries `first` up to `last` of the chunks met."""
        if first == 0 and last == self.met:
            return self.rows
        return Table(*(None if column is None else column[first:last] for column in self.rows))  # type: ignore[arg-type]

    def row(self) -> Row | None:
        """Return the only entry; None if the positions meet no chunk, or several."""
        return _first(self.rows) if self.met == 1 else None

    @property
    def has_chunk_arrays(self) -> bool:
        """Return whether a part inside a chunk cannot be written as a slice."""
        return any(not isinstance(part, slice) for part in self.rows.chunk_parts)

    @property
    def has_out_arrays(self) -> bool:
        """Return whether a part of the result cannot be written as a slice."""
        return any(not isinstance(part, slice) for part in self.rows.out_parts or ())


class OpenDim(NamedTuple):
    """Another dimension with its parts as arrays that broadcast against those of other dimensions, as `numpy.ix_`.

    A shape is that of the open mesh along this dimension, such as ``(1, -1, 1)``; None leaves the column unchanged.
    """

    dim: IntDim | SliceDim | EdgeIntDim | EdgeSliceDim | ArrayDim
    chunk_shape: Shape | None
    out_shape: Shape | None

    @property
    def met(self) -> int:
        """Number of chunks met."""
        return self.dim.met

    def table(self, first: int, last: int) -> Table:
        """Return entries `first` up to `last` of the chunks met."""
        indices, chunk_parts, out_parts, wholes = self.dim.table(first, last)
        if self.chunk_shape is not None:
            chunk_parts = [_as_mesh(part, self.chunk_shape) for part in chunk_parts]
        if self.out_shape is not None and out_parts is not None:
            out_parts = [_as_mesh(part, self.out_shape) for part in out_parts]
        return Table(indices, chunk_parts, out_parts, wholes)

    def row(self) -> Row | None:
        """Return the only entry; None if no chunk is met, or several."""
        return _first(self.table(0, 1)) if self.met == 1 else None


Dim: TypeAlias = IntDim | SliceDim | EdgeIntDim | EdgeSliceDim | ArrayDim | OpenDim


def _first(table: Table) -> Row:
    indices, chunk_parts, out_parts, wholes = table
    return indices[0], chunk_parts[0], None if out_parts is None else out_parts[0], wholes[0]


def _as_mesh(part: PartEntry, shape: Shape) -> NDArray[np.intp]:
    if isinstance(part, slice):
        return np.arange(part.start, part.stop, part.step, dtype=np.intp).reshape(shape)
    return np.asarray(part, dtype=np.intp).reshape(shape)


def group_starts(keys: NDArray[np.generic]) -> list[int]:
    """Return the first position of each run of equal `keys`, and the number of keys at the end."""
    changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return [0, *changes.tolist(), keys.size] if keys.size else []


def table_of_array(index: NDArray[np.intp], length: int, chunk: int | Edges) -> Table:
    """Group a one-dimensional array of positions, all within bounds, by chunk.

    The sort is stable, so that of repeated positions the last one is written last. Ascending runs become slices.
    """
    positions = chunk.find(index)[0] if isinstance(chunk, Edges) else index // chunk
    order = None
    if (positions[1:] < positions[:-1]).any():
        order = np.argsort(positions, kind="stable")
        index, positions = index[order], positions[order]
    starts = group_starts(positions)
    groups = list(pairwise(starts))
    indices = positions[starts[:-1]].tolist()
    if isinstance(chunk, Edges):
        spans = [chunk.chunk(position) for position in indices]
        origins, valids = [span.start for span in spans], [min(span.length, length - span.start) for span in spans]
    else:
        origins = [position * chunk for position in indices]
        valids = [min(chunk, length - origin) for origin in origins]
    chunk_parts = _parts(index, groups, origins)
    out_parts = [slice(*group) for group in groups] if order is None else _parts(order, groups, [0] * len(groups))
    wholes = [
        end - begin == valid and (not isinstance(part, np.ndarray) or is_distinct(part))
        for (begin, end), valid, part in zip(groups, valids, chunk_parts, strict=True)
    ]
    return Table(indices, chunk_parts, out_parts, wholes)


def _parts(values: NDArray[np.intp], groups: list[tuple[int, int]], origins: list[int]) -> list[PartEntry]:
    """Return each group of values, relative to its origin: a slice if ascending by one, else an array."""
    breaks = np.zeros(values.size, dtype=np.intp)
    np.cumsum(values[1:] - values[:-1] != 1, out=breaks[1:])
    parts: list[PartEntry] = []
    for (begin, end), origin in zip(groups, origins, strict=True):
        if breaks[begin] == breaks[end - 1]:
            low = int(values[begin]) - origin
            parts.append(slice(low, low + end - begin, 1))
        else:
            parts.append(values[begin:end] - origin)
    return parts


def is_distinct(values: NDArray[np.intp]) -> bool:
    """Return whether no value occurs twice."""
    ascending = np.sort(values)
    return not (ascending[1:] == ascending[:-1]).any()
