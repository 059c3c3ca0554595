"""Map parts of a shard to parts of its inner chunks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from zarrds._base.types import Chunks, Part, Shape
from zarrds._plan import Plan, Projection, plan_basic, plan_everything, plan_mixed, plan_orthogonal, points_axis

__all__ = ["every_inner_chunk", "inner_plan", "transposed_part"]


def inner_plan(part: Part, shape: Shape, chunks: Chunks) -> Plan:
    """Return the plan of inner chunks for a part of a shard, as plans of the shard grid have it.

    The plan's work shape is that of ``shard[part]``. With a `shape` smaller than the shard's, as at the edge of an
    array, an inner chunk counts as whole if its region inside `shape` is covered.

    - no arrays: integers and slices;
    - arrays of as many dimensions as the shard: an open mesh, so each dimension is planned by itself;
    - one array of one dimension among slices: likewise;
    - several of one dimension: points, with slices along the other dimensions.
    """
    arrays = [item for item in part if isinstance(item, np.ndarray)]
    if not arrays:
        return plan_basic(part, shape, chunks)
    if len(arrays) > 1 and arrays[0].ndim == 1:
        return plan_mixed(part, shape, chunks)
    flat = tuple([item.reshape(-1) if isinstance(item, np.ndarray) else item for item in part])
    return plan_orthogonal(flat, shape, chunks)


@lru_cache(maxsize=64)
def every_inner_chunk(shape: Shape, chunks: Chunks) -> tuple[Projection, ...]:
    """Return the projections of all inner chunks of a shard."""
    return tuple(plan_everything(shape, chunks))


def transposed_part(part: Part, order: tuple[int, ...]) -> tuple[Part, tuple[int, ...]]:
    """Return a part of an array as part of ``array.transpose(order)``, and the axes that transpose its result back.

    ``array.transpose(order)[transposed]`` is ``array[part].transpose(axes)``.
    """
    transposed = tuple([part[axis] for axis in order])
    arrays = [item for item in part if isinstance(item, np.ndarray)]
    if len(arrays) == len(part) > 1 and arrays[0].ndim > 1:
        return tuple([item.transpose(order) for item in transposed if isinstance(item, np.ndarray)]), order
    before, after = _axes_kept(part, range(len(part))), _axes_kept(transposed, order)
    return transposed, tuple([before.index(axis) for axis in after])


def _axes_kept(part: Part, axes: Sequence[int]) -> list[int]:
    """Return for each dimension of ``array[part]`` the dimension of the array; -1 for points, which index several."""
    points = tuple([place for place, item in enumerate(part) if isinstance(item, np.ndarray)])
    if len(points) < 2:
        return [axis for axis, item in zip(axes, part, strict=True) if not isinstance(item, int)]
    kept = [axis for axis, item in zip(axes, part, strict=True) if isinstance(item, slice)]
    kept.insert(points_axis(points), -1)
    return kept
