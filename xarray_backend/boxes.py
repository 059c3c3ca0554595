"""Cover chunks of a grid by boxes: ranges of neighbours, one for each dimension."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

__all__ = ["Box", "boxes_of_coords", "boxes_of_mask"]

Box = tuple[range, ...]


def boxes_of_coords(coords: Sequence[tuple[int, ...]]) -> list[Box]:
    """Return boxes that together have exactly these positions, which are sorted.

    Parameters
    ----------
    coords : sequence of tuple of int
        At least one position.
    """
    if not coords[0]:
        return [()]
    return _merged((n, boxes_of_coords([at[1:] for at in row])) for n, row in groupby(coords, lambda at: at[0]))


def boxes_of_mask(mask: np.ndarray[Any, Any]) -> list[Box]:
    """Return boxes that together have exactly the positions where the mask is true.

    Parameters
    ----------
    mask : numpy.ndarray of bool
        One element for each chunk. It may have millions: runs along the last dimension are found by numpy.
    """
    if not mask.ndim:
        return [()] if mask else []
    if mask.ndim == 1:
        borders = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype("i1")))
        return [(range(start, stop),) for start, stop in borders.reshape(-1, 2).tolist()]
    return _merged((n, boxes_of_mask(part)) for n, part in enumerate(mask))


def _merged(rows: Iterable[tuple[int, list[Box]]]) -> list[Box]:
    """Return the boxes of all rows; rows that follow each other and have the same boxes are taken together."""
    found: list[Box] = []
    same: list[Box] = []
    first, last = 0, -2
    for number, boxes in rows:
        if number != last + 1 or boxes != same:
            found += [(range(first, last + 1), *box) for box in same]
            first, same = number, boxes
        last = number
    return found + [(range(first, last + 1), *box) for box in same]
