"""Find the bytes of an uncompressed chunk that hold a part of it."""

from __future__ import annotations

from typing import cast

from zarrds._base.types import ByteRange, Order, Part, Shape

__all__ = ["rows_needed"]


def rows_needed(part: Part, shape: Shape, itemsize: int, order: Order) -> tuple[ByteRange | None, Shape, Part]:
    """Find the run of rows along the slowest dimension that holds `part`.

    1. Along the slowest dimension, take the rows from the first to the last index of `part`: they are consecutive.
    2. If this is one row only, repeat step 1 inside this row, along the next dimension.
    3. Index the rows that were read to select the rest of `part`.

    Parts with integer arrays need the whole value.

    Returns
    -------
    wanted : ByteRange or None
        Bytes of the value that hold the rows; None: the whole value.
    rows : tuple of int
        Shape of the rows.
    inner : tuple
        Selects `part` from the rows.
    """
    if not all(isinstance(p, (int, slice)) for p in part) or not shape:
        return None, shape, part
    slow_first = range(len(shape)) if order == "C" else range(len(shape) - 1, -1, -1)
    rows, inner = list(shape), list(part)
    start, stride = 0, itemsize
    for n in shape:
        stride *= n
    length = stride
    for dim in slow_first:
        stride //= max(shape[dim], 1)
        first, last = _reach(cast("int | slice", part[dim]), shape[dim])
        start += first * stride
        length = max(last - first, 0) * stride
        rows[dim] = max(last - first, 0)
        inner[dim] = _shifted(cast("int | slice", part[dim]), first)
        if last - first != 1:
            break
    return ByteRange(start, start + length), tuple(rows), tuple(inner)


def _reach(index: int | slice, length: int) -> tuple[int, int]:
    """Return the first index, and one past the last."""
    if isinstance(index, slice):
        indices = range(*index.indices(length))
        return (indices[0], indices[-1] + 1) if indices else (0, 0)
    return index, index + 1


def _shifted(index: int | slice, by: int) -> int | slice:
    # the first index of a slice is the first selected row
    return slice(0, None, index.step) if isinstance(index, slice) else index - by
