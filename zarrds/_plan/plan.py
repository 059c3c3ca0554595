"""Plans: how one selection of an array meets its chunks.

This is the entry point of the package; the meaning of selections is in `basic`, `orthogonal` and `coordinate`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from zarrds._base.edges import Grid
from zarrds._base.types import Shape
from zarrds._plan.basic import plan_basic, plan_block
from zarrds._plan.coordinate import plan_coordinate, plan_mask
from zarrds._plan.dims import slice_dim
from zarrds._plan.grid import GridPlan
from zarrds._plan.normalize import Selection
from zarrds._plan.orthogonal import plan_orthogonal
from zarrds._plan.projection import Plan, Projection

__all__ = ["Mode", "Plan", "Projection", "plan_everything", "plan_selection"]

Mode: TypeAlias = Literal["basic", "orthogonal", "coordinate", "mask", "block"]

_PLANNERS: dict[str, Callable[[Selection, Shape, Grid], Plan]] = {
    "basic": plan_basic,
    "orthogonal": plan_orthogonal,
    "coordinate": plan_coordinate,
    "mask": plan_mask,
    "block": plan_block,
}


def plan_selection(selection: Selection, shape: Shape, chunks: Grid, mode: Mode) -> Plan:
    """Resolve a selection against a chunk grid.

    Parameters
    ----------
    selection : object
        The selection between the brackets, without field names.
    shape : tuple of int
        Shape of the array.
    chunks : tuple of (int or Edges)
        Length of the chunks along each dimension, in elements, or the lengths of all of them where they differ.
    mode : {"basic", "orthogonal", "coordinate", "mask", "block"}
        What the selection means.

    Returns
    -------
    Plan
        One projection for each chunk met, in C order of the grid.

    Raises
    ------
    ArrayIndexError
        The selection does not fit the array or the mode; BoundsCheckError and NegativeStepError are subclasses.

    Examples
    --------
    >>> plan = plan_selection((slice(1, 5), 0), (10, 10), (3, 5), "basic")
    >>> plan.work_shape
    (4,)
    >>> for projection in plan:
    ...     print(projection.coords, projection.chunk_part, projection.out_part, projection.whole)
    (0, 0) (slice(1, 3, 1), 0) (slice(0, 2, None),) False
    (1, 0) (slice(0, 2, 1), 0) (slice(2, 4, None),) False
    """
    return _PLANNERS[mode](selection, shape, chunks)


def plan_everything(shape: Shape, chunks: Grid) -> Plan:
    """Plan the selection of a whole array."""
    return GridPlan(tuple([slice_dim(0, n, 1, n, n, chunk) for n, chunk in zip(shape, chunks, strict=True)]), shape)
