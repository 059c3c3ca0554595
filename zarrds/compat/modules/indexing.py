"""Which chunks a selection meets, as ``zarr.indexing`` of Zarr-Python 2 says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from zarrds._base.types import Part, Shape
from zarrds._plan import Mode, plan_selection
from zarrds.core import Array

__all__ = [
    "BasicIndexer",
    "BlockIndexer",
    "ChunkProjection",
    "CoordinateIndexer",
    "MaskIndexer",
    "OrthogonalIndexer",
]


class ChunkProjection(NamedTuple):
    """How a selection meets one chunk.

    Attributes
    ----------
    chunk_coords : tuple of int
        Position of the chunk in the grid.
    chunk_selection : tuple
        What is selected of the chunk.
    out_selection : tuple
        Where that goes in the result.
    """

    chunk_coords: tuple[int, ...]
    chunk_selection: Part
    out_selection: Part


class _Indexer:
    """Iterate over the chunks that a selection of an array meets."""

    drop_axes: tuple[int, ...]

    _mode: ClassVar[Mode]

    def __init__(self, selection: Any, array: Array) -> None:
        self._plan = plan_selection(selection, array.shape, array.source().meta.chunks, self._mode)
        self.shape: Shape = self._plan.work_shape
        self.drop_axes = self._plan.drop_axes

    def __iter__(self) -> Iterator[ChunkProjection]:
        for projection in self._plan:
            yield ChunkProjection(projection.coords, projection.chunk_part, projection.out_part)


class BasicIndexer(_Indexer):
    """Chunks that integers and slices meet.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((10, 10), chunks=(5, 5))
    >>> [projection.chunk_coords for projection in BasicIndexer((slice(0, 2), slice(4, 6)), z)]
    [(0, 0), (0, 1)]
    """

    _mode = "basic"


class OrthogonalIndexer(_Indexer):
    """Chunks that one selection for each dimension meets: integers, slices, arrays of integers or Booleans."""

    _mode = "orthogonal"


class CoordinateIndexer(_Indexer):
    """Chunks that points meet, given by one array of integers for each dimension."""

    _mode = "coordinate"


class MaskIndexer(_Indexer):
    """Chunks that the True elements of a mask meet."""

    _mode = "mask"


class BlockIndexer(_Indexer):
    """Chunks given by their positions in the grid."""

    _mode = "block"
