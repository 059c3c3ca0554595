"""Which bytes of an uncompressed chunk hold a part of it."""

from __future__ import annotations

from typing import cast

from zarrds._types import ByteRange, Order, Part, Shape

__all__ = ["rows_needed"]


def rows_needed(part: Part, shape: Shape, itemsize: int, order: Order) -> tuple[ByteRange | None, Shape, Part]:
    """Find the run of rows along the slowest dimension that holds `part`.

    1. Along the slowest dimension, `part` reaches from its first to its last index: those rows are consecutive.
    2. When that is one index only, the same question can be asked inside that row, along the next dimension.
    3. Whatever remains is answered by indexing the rows once they are here.

    Parts with integer arrays ask for everything.

    Returns
    -------
    wanted : ByteRange or None
        Bytes of the value that hold the rows; None: all of it.
    rows : tuple of int
        Shape of what those bytes decode to.
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
    """First index touched, and one past the last."""
    if isinstance(index, slice):
        indices = range(*index.indices(length))
        return (indices[0], indices[-1] + 1) if indices else (0, 0)
    return index, index + 1


def _shifted(index: int | slice, by: int) -> int | slice:
    # a slice's first index is the first row that was asked for
    return slice(0, None, index.step) if isinstance(index, slice) else index - by
