"""Which chunks a selection along one dimension meets, as ``zarr.indexing`` of Zarr-Python 2 says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np

from zarrds._base.edges import Edges, grid_shape
from zarrds._plan import Mode, plan_selection
from zarrds.compat.selections import is_bool_array, is_integer, is_slice

__all__ = [
    "BoolArrayDimIndexer",
    "ChunkDimProjection",
    "DimIndexer",
    "IntArrayDimIndexer",
    "IntDimIndexer",
    "SliceDimIndexer",
    "indexer_of",
]


class ChunkDimProjection(NamedTuple):
    """How a selection along one dimension meets one chunk.

    Attributes
    ----------
    dim_chunk_ix : int
        Position of the chunk along the dimension.
    dim_chunk_sel : int, slice or numpy.ndarray
        What is selected of the chunk.
    dim_out_sel : slice, numpy.ndarray or None
        Where that goes in the result; None if the result does not have the dimension.
    """

    dim_chunk_ix: int
    dim_chunk_sel: Any
    dim_out_sel: Any


class DimIndexer:
    """Iterate over the chunks that a selection along one dimension meets.

    Parameters
    ----------
    dim_sel : int, slice, list or numpy.ndarray
        The selection.
    dim_len : int
        Length of the dimension, in elements.
    dim_chunk_len : int
        Length of its chunks, in elements.
    """

    _mode: ClassVar[Mode] = "orthogonal"

    def __init__(self, dim_sel: Any, dim_len: int, dim_chunk_len: int | Edges) -> None:
        self.dim_sel = dim_sel
        self.dim_len = dim_len
        self.dim_chunk_len = dim_chunk_len
        self.nchunks: int = grid_shape((dim_len,), (dim_chunk_len,))[0]
        self._plan = plan_selection((dim_sel,), (dim_len,), (dim_chunk_len,), self._mode)
        self.nitems: int = self._plan.work_shape[0] if self._plan.work_shape else 1

    def __iter__(self) -> Iterator[ChunkDimProjection]:
        for projection in self._plan:
            out = projection.out_part[0] if projection.out_part else None
            yield ChunkDimProjection(projection.coords[0], projection.chunk_part[0], out)


class IntDimIndexer(DimIndexer):
    """The chunk that an integer meets.

    Examples
    --------
    >>> list(IntDimIndexer(-1, 10, 4))
    [ChunkDimProjection(dim_chunk_ix=2, dim_chunk_sel=1, dim_out_sel=None)]
    """

    _mode = "basic"

    def __init__(self, dim_sel: int, dim_len: int, dim_chunk_len: int | Edges) -> None:
        super().__init__(dim_sel, dim_len, dim_chunk_len)
        self.dim_sel = dim_sel % dim_len  # the plan has checked the bounds


class SliceDimIndexer(DimIndexer):
    """Chunks that a slice meets; `start`, `stop` and `step` are those of the slice, cut to the dimension.

    Examples
    --------
    >>> found = SliceDimIndexer(slice(2, None, 3), 10, 4)
    >>> found.start, found.stop, found.step, found.nitems, found.nchunks
    (2, 10, 3, 3, 3)
    """

    _mode = "basic"

    def __init__(self, dim_sel: slice, dim_len: int, dim_chunk_len: int | Edges) -> None:
        super().__init__(dim_sel, dim_len, dim_chunk_len)
        self.start, self.stop, self.step = dim_sel.indices(dim_len)


class IntArrayDimIndexer(DimIndexer):
    """Chunks that the integers of a list or array meet."""


class BoolArrayDimIndexer(DimIndexer):
    """Chunks that the True elements of an array meet."""


def indexer_of(dim_sel: Any, dim_len: int, dim_chunk_len: int | Edges) -> DimIndexer:
    """Return the indexer that fits a selection along one dimension.

    Examples
    --------
    >>> type(indexer_of([0, 2], 10, 4)).__name__
    'IntArrayDimIndexer'
    """
    if is_integer(dim_sel):
        return IntDimIndexer(dim_sel, dim_len, dim_chunk_len)
    if is_slice(dim_sel):
        return SliceDimIndexer(dim_sel, dim_len, dim_chunk_len)
    kind = BoolArrayDimIndexer if is_bool_array(np.asarray(dim_sel)) else IntArrayDimIndexer
    return kind(dim_sel, dim_len, dim_chunk_len)
