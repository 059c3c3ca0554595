"""The contract between plans and the code that carries them out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from zarrds._base.types import Part, Shape

__all__ = ["Plan", "Projection"]


class Projection(NamedTuple):
    """How one selection meets one chunk.

    Attributes
    ----------
    coords : tuple of int
        Position of the chunk in the chunk grid.
    chunk_part : tuple of int, slice or int array
        Region inside the decoded chunk, in elements: ``chunk[chunk_part]``, one entry per dimension of the chunk.
        Integers drop their dimension; slices are within the chunk with step >= 1; several integer arrays have been
        made broadcastable against each other (``numpy.ix_`` for orthogonal selections); those of points have one
        dimension, also beside slices.
    out_part : tuple of slice or int array
        Region of the result that it fills: ``out[out_part]``, one entry per dimension of the result.
    whole : bool
        True if every element of the chunk inside the array is covered exactly once, so that a write needs no read
        first. Ragged edge chunks count elements inside the array only.
    """

    coords: tuple[int, ...]
    chunk_part: Part
    out_part: Part
    whole: bool


class Plan(Protocol):
    """A selection, resolved against a chunk grid.

    Iteration gives one `Projection` for each chunk that the selection meets, in C order of the grid (except
    `MixedPlan`), lazily: nothing is stored per chunk. A plan can be iterated again and again.
    """

    @property
    def work_shape(self) -> Shape:
        """Shape of the result that the projections fill."""

    @property
    def result_shape(self) -> Shape:
        """Shape the caller expects: `work_shape`, reshaped (coordinate selections with several dimensions)."""

    @property
    def drop_axes(self) -> tuple[int, ...]:
        """Axes of ``chunk[chunk_part]``, each of length 1, that ``out[out_part]`` does not have.

        It is empty except for orthogonal selections that mix integers with integer arrays, where numpy would move
        dimensions: with one array the integers become slices of length 1, with several every entry of `chunk_part` is
        an array.
        """

    @property
    def plain(self) -> bool:
        """Whether all parts, of chunks and of the result, are known to have integers and slices only."""

    def single(self) -> Projection | None:
        """Return the projection of a plan that meets one chunk; None if it meets none or several."""

    def __iter__(self) -> Iterator[Projection]: ...

    def __len__(self) -> int:
        """Return the number of chunks met."""
