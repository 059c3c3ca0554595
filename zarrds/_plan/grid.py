"""Plans that are an outer product: the chunks met along each dimension are independent of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product, repeat
from math import prod
from typing import Any

from zarrds._base.types import Shape
from zarrds._plan.dims import Dim, EdgeIntDim, EdgeSliceDim, IntDim, SliceDim, Table
from zarrds._plan.projection import Projection

__all__ = ["GridPlan"]

LONGEST_TABLE = 8192
"""Chunks along one dimension up to which its entries are made at once, and kept during iteration."""


@dataclass(frozen=True, slots=True, eq=False)
class GridPlan:
    """A plan whose chunks are the outer product of those met along each dimension.

    Columns of entries are made per dimension and combined by `itertools.product`, so that for each chunk only the
    tuples themselves are created.
    """

    dims: tuple[Dim, ...]
    work_shape: Shape
    drop_axes: tuple[int, ...] = ()

    @property
    def result_shape(self) -> Shape:
        """Shape the caller expects."""
        return self.work_shape

    @property
    def plain(self) -> bool:
        """Whether no dimension is selected by an array."""
        return all(isinstance(dim, (SliceDim, IntDim, EdgeSliceDim, EdgeIntDim)) for dim in self.dims)

    def __len__(self) -> int:
        return prod([dim.met for dim in self.dims])

    def single(self) -> Projection | None:
        """Return the projection of a plan that meets one chunk, without making columns; else None."""
        coords, chunk_part, out_part, whole = [], [], [], True
        for dim in self.dims:
            row = dim.row()
            if row is None:
                return None
            index, inside, out, covered = row
            coords.append(index)
            chunk_part.append(inside)
            if out is not None:
                out_part.append(out)
            whole = whole and covered
        return Projection(tuple(coords), tuple(chunk_part), tuple(out_part), whole)

    def __iter__(self) -> Iterator[Projection]:
        counts = [dim.met for dim in self.dims]
        if max(counts, default=0) <= LONGEST_TABLE:
            return _project([dim.table(0, met) for dim, met in zip(self.dims, counts, strict=True)])
        return _project_boxes(self.dims) if all(counts) else iter(())


def _project_boxes(dims: tuple[Dim, ...]) -> Iterator[Projection]:
    for tables in _boxes(dims):
        yield from _project(tables)


def _project(tables: list[Table]) -> Iterator[Projection]:
    """Combine the columns, in C order; the loop runs inside `map` and `zip`."""
    rows = zip(
        product(*[table.indices for table in tables]),
        product(*[table.chunk_parts for table in tables]),
        product(*[table.out_parts for table in tables if table.out_parts is not None]),
        _wholes([table.wholes for table in tables]),
        strict=False,  # the last column may be endless
    )
    return map(_make_tuple, repeat(Projection), rows)


_make_tuple: Any = tuple.__new__


def _wholes(columns: list[Any]) -> Iterator[bool]:
    if all(map(all, columns)):
        return repeat(True)
    if not all(map(any, columns)):
        return repeat(False)
    return map(all, product(*columns))


def _boxes(dims: tuple[Dim, ...]) -> Iterator[list[Table]]:
    """Cut the grid into boxes with short tables; the boxes in their order give the chunks in C order."""
    last = max((axis for axis, dim in enumerate(dims) if dim.met > LONGEST_TABLE), default=-1)
    if last < 0:
        yield [dim.table(0, dim.met) for dim in dims]
        return
    tail = [dim.table(0, dim.met) for dim in dims[last + 1 :]]
    met = dims[last].met
    for head in _points(dims[:last]):
        for first in range(0, met, LONGEST_TABLE):
            yield [*head, dims[last].table(first, min(first + LONGEST_TABLE, met)), *tail]


def _points(dims: tuple[Dim, ...]) -> Iterator[list[Table]]:
    """Yield tables of one row each, for every combination of rows."""
    for tables in _boxes(dims):
        for rows in product(*[range(len(table.indices)) for table in tables]):
            yield [_row(table, row) for table, row in zip(tables, rows, strict=True)]


def _row(table: Table, row: int) -> Table:
    outs = None if table.out_parts is None else (table.out_parts[row],)
    return Table((table.indices[row],), (table.chunk_parts[row],), outs, (table.wholes[row],))
