"""Plans of points along some dimensions with slices along the others: numpy's arrays beside slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from zarrds._base.edges import Grid
from zarrds._base.types import Part, Shape
from zarrds._plan.basic import plan_basic
from zarrds._plan.coordinate import PointPlan, plan_coordinate
from zarrds._plan.grid import GridPlan
from zarrds._plan.orthogonal import plan_orthogonal
from zarrds._plan.projection import Plan, Projection

__all__ = ["MixedPlan", "plan_mixed", "points_axis"]


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class MixedPlan:
    """A plan whose chunks are the product of those that the points meet and those that the slices meet.

    The chunks of one group of points are consecutive; the order is that of the grid if the points come first.

    Attributes
    ----------
    points : PointPlan
        Plan of the dimensions `axes`.
    slices : GridPlan
        Plan of all other dimensions.
    axes : tuple of int
        Dimensions of the array to which the points belong, two or more.
    """

    points: PointPlan
    slices: GridPlan
    axes: tuple[int, ...]

    @property
    def work_shape(self) -> Shape:
        """Lengths of the slices, with the number of points at numpy's position."""
        lengths = self.slices.work_shape
        place = points_axis(self.axes)
        return (*lengths[:place], self.points.work_shape[0], *lengths[place:])

    @property
    def result_shape(self) -> Shape:
        """Shape the caller expects."""
        return self.work_shape

    @property
    def drop_axes(self) -> tuple[int, ...]:
        """Always empty: integers are treated as points."""
        return ()

    @property
    def plain(self) -> bool:
        """Always False: the parts contain arrays."""
        return False

    def __len__(self) -> int:
        return len(self.points) * len(self.slices)

    def single(self) -> Projection | None:
        """Return the projection if there is only one, else None."""
        return next(iter(self)) if len(self) == 1 else None

    def __iter__(self) -> Iterator[Projection]:
        place = points_axis(self.axes)
        for points in self.points:
            for sliced in self.slices:
                out = (*sliced.out_part[:place], points.out_part[0], *sliced.out_part[place:])
                coords, part = self._merged(points.coords, sliced.coords), self._merged_part(points, sliced)
                yield Projection(coords, part, out, points.whole and sliced.whole)

    def _merged(self, points: tuple[int, ...], sliced: tuple[int, ...]) -> tuple[int, ...]:
        first, second = iter(points), iter(sliced)
        return tuple([next(first if axis in self.axes else second) for axis in range(len(points) + len(sliced))])

    def _merged_part(self, points: Projection, sliced: Projection) -> Part:
        first, second = iter(points.chunk_part), iter(sliced.chunk_part)
        return tuple(
            [next(first if axis in self.axes else second) for axis in range(len(points.coords + sliced.coords))]
        )


def points_axis(axes: tuple[int, ...]) -> int:
    """Return the dimension of ``array[part]`` for the points of these dimensions, if all others are slices."""
    return axes[0] if axes and axes[-1] - axes[0] + 1 == len(axes) else 0


def plan_mixed(items: Part, shape: Shape, chunks: Grid) -> Plan:
    """Plan one-dimensional integer arrays of equal length, which are points, and slices."""
    axes = tuple([axis for axis, item in enumerate(items) if isinstance(item, np.ndarray)])
    if not axes:
        return plan_basic(items, shape, chunks)
    if len(axes) == 1:
        return plan_orthogonal(items, shape, chunks)
    if len(axes) == len(items):
        return plan_coordinate(items, shape, chunks)
    rest = tuple([axis for axis in range(len(items)) if axis not in axes])
    points = plan_coordinate(_of(items, axes), _of(shape, axes), _of(chunks, axes))
    return MixedPlan(points, plan_basic(_of(items, rest), _of(shape, rest), _of(chunks, rest)), axes)


def _of(values: tuple[Value, ...], axes: tuple[int, ...]) -> tuple[Value, ...]:
    return tuple([values[axis] for axis in axes])
