"""What an array will be when it has grown: for writers that write the data first, and the shape when all are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zarrds._base.edges import as_given
from zarrds._base.types import Shape
from zarrds._engine import ChunkSource
from zarrds._node import NewArray
from zarrds.core.array import Array
from zarrds.core.resize import extended

__all__ = ["larger", "units_after"]


def larger(source: ChunkSource, shape: Shape, blocks: Sequence[Sequence[int]] = ()) -> ChunkSource:
    """Return the source of an array as it will be when it has grown to a shape.

    Parameters
    ----------
    source : ChunkSource
        Source of the array.
    shape : tuple of ints
        The new shape.
    blocks : sequence of sequences of int, optional
        For each dimension the lengths of the blocks of the data that are appended: each becomes a chunk where the
        chunks have different lengths. Without them there are as many chunks of the longest length as are needed.
    """
    meta = source.meta
    if meta.irregular is None:
        return replace(source, meta=replace(meta, shape=shape))
    longer = [dim for dim, (n, old) in enumerate(zip(shape, meta.shape, strict=True)) if n > old]
    return replace(source, meta=extended(meta, shape, {dim: blocks[dim] for dim in longer if blocks}))


def units_after(
    array: Array | NewArray, shape: Shape, blocks: Sequence[Sequence[int]] = ()
) -> tuple[int | tuple[int, ...], ...]:
    """Return the lengths of stored values along each dimension once an array has a shape.

    Parameters
    ----------
    array : Array or NewArray
        The array.
    shape : tuple of ints
        Its shape after a write.
    blocks : sequence of sequences of int, optional
        As for `larger`.

    Returns
    -------
    tuple of (int or tuple of int)
        One length for each dimension, or all lengths where they differ.
    """
    if isinstance(array, NewArray):
        return as_given(array.meta.write_unit)
    return as_given(larger(array.source(), shape, blocks).meta.write_unit)
