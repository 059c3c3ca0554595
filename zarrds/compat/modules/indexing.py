"""Which chunks a selection meets, as ``zarr.indexing`` of Zarr-Python 2 says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from zarrds._base.edges import Grid
from zarrds._base.types import Part, Shape
from zarrds._plan import Mode, plan_selection
from zarrds.compat.dimensions import (
    BoolArrayDimIndexer,
    ChunkDimProjection,
    DimIndexer,
    IntArrayDimIndexer,
    IntDimIndexer,
    SliceDimIndexer,
    indexer_of,
)
from zarrds.compat.selections import (
    ensure_tuple,
    is_bool_array,
    is_coordinate_selection,
    is_integer,
    is_integer_array,
    is_integer_list,
    is_mask_selection,
    is_slice,
    pop_fields,
    replace_ellipsis,
)
from zarrds.core import Array

__all__ = [
    "BasicIndexer",
    "BlockIndexer",
    "BoolArrayDimIndexer",
    "ChunkDimProjection",
    "ChunkProjection",
    "CoordinateIndexer",
    "IntArrayDimIndexer",
    "IntDimIndexer",
    "MaskIndexer",
    "OrthogonalIndexer",
    "SliceDimIndexer",
    "ensure_tuple",
    "is_bool_array",
    "is_coordinate_selection",
    "is_integer",
    "is_integer_array",
    "is_integer_list",
    "is_mask_selection",
    "is_slice",
    "pop_fields",
    "replace_ellipsis",
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
    """Iterate over the chunks that a selection of an array meets.

    The array may be any object with `_shape` and `_chunks`, as programs pass that have no array at hand.
    """

    drop_axes: tuple[int, ...]

    _mode: ClassVar[Mode]

    def __init__(self, selection: Any, array: Any) -> None:
        self._asked = selection
        self._of, self._grid = _shape_and_grid(array)
        self._plan = plan_selection(selection, self._of, self._grid, self._mode)
        self.shape: Shape = self._plan.work_shape
        self.drop_axes = self._plan.drop_axes

    def __iter__(self) -> Iterator[ChunkProjection]:
        for projection in self._plan:
            yield ChunkProjection(projection.coords, projection.chunk_part, projection.out_part)


def _shape_and_grid(array: Any) -> tuple[Shape, Grid]:
    if isinstance(array, Array):
        return array.shape, array.source().meta.chunks
    return tuple(array._shape), tuple(array._chunks)


class _IndexerOfDimensions(_Indexer):
    @property
    def dim_indexers(self) -> list[DimIndexer]:
        """One indexer for each dimension of the array."""
        selections = replace_ellipsis(self._asked, self._of)
        return [indexer_of(*given) for given in zip(selections, self._of, self._grid, strict=True)]


class BasicIndexer(_IndexerOfDimensions):
    """Chunks that integers and slices meet.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((10, 10), chunks=(5, 5))
    >>> [projection.chunk_coords for projection in BasicIndexer((slice(0, 2), slice(4, 6)), z)]
    [(0, 0), (0, 1)]
    """

    _mode = "basic"


class OrthogonalIndexer(_IndexerOfDimensions):
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
