"""Plans of basic and block selections: integers and slices only."""

from __future__ import annotations

from zarrds._base.edges import Edges, Grid
from zarrds._base.types import Shape
from zarrds._plan.dims import Dim, EdgeSliceDim, IntDim, SliceDim, int_dim, slice_dim
from zarrds._plan.grid import GridPlan
from zarrds._plan.normalize import Selection, as_integer, bounded_slice, expand_selection, wrap_integer
from zarrds.errors import ArrayIndexError

__all__ = ["plan_basic", "plan_block"]


def plan_basic(selection: Selection, shape: Shape, chunks: Grid) -> GridPlan:
    """Plan integers, slices and an ellipsis."""
    dims: list[Dim] = []
    work_shape: list[int] = []
    for item, length, chunk in zip(expand_selection(selection, len(shape)), shape, chunks, strict=True):
        if isinstance(item, slice):
            start, stop, step, items = bounded_slice(item, length)
            if type(chunk) is int:  # no call, as this runs for each selection
                dims.append(SliceDim(start, stop, step, items, length, chunk))
            else:
                dims.append(slice_dim(start, stop, step, items, length, chunk))
            work_shape.append(items)
        else:
            index = item if type(item) is int else as_integer(item)
            if index is None:
                raise _unsupported("basic", item)
            position = wrap_integer(index, length)
            dims.append(IntDim(position, length, chunk) if type(chunk) is int else int_dim(position, length, chunk))
    return GridPlan(tuple(dims), tuple(work_shape))


def plan_block(selection: Selection, shape: Shape, chunks: Grid) -> GridPlan:
    """Plan integers and slices of the chunk grid; integers keep their dimension."""
    dims: list[Dim] = []
    for item, length, chunk in zip(expand_selection(selection, len(shape)), shape, chunks, strict=True):
        if isinstance(chunk, Edges):
            first, last = _block_range(item, chunk.count_within(length))
            start, stop = (min(int(border), length) for border in chunk.borders(first, max(last, first))[[0, -1]])
        else:
            first, last = _block_range(item, -(-length // chunk) if length else 0)
            start, stop = first * chunk, min(last * chunk, length)
        dims.append(slice_dim(start, stop, 1, stop - start, length, chunk))
    return GridPlan(tuple(dims), tuple([dim.items for dim in dims if isinstance(dim, (SliceDim, EdgeSliceDim))]))


def _block_range(item: object, count: int) -> tuple[int, int]:
    """Return first and last (exclusive) of the chunks that an item selects among `count`."""
    if not isinstance(item, slice):
        index = as_integer(item)
        if index is None:
            raise _unsupported("block", item)
        first = wrap_integer(index, count)
        return first, first + 1
    if item.step is not None and item.step != 1:
        raise ArrayIndexError("only slices with step 1 are supported for block indexing", found=item)
    start, _, _, items = bounded_slice(item, count)
    if item.start is not None and (item.start or count):
        wrap_integer(item.start, count)
    return start, start + items if items else start


def _unsupported(kind: str, item: object) -> ArrayIndexError:
    message = f"unsupported selection item for {kind} indexing"
    return ArrayIndexError(message, expected="integer or slice", found=type(item).__name__)
